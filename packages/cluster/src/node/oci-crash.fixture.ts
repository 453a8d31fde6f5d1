import { join } from "node:path";
import { systemClock } from "@sluice/controller";
import { ImageStore } from "./images/oci/image-store.ts";
import { OciImages } from "./images/oci/oci-images.ts";
import { Puller } from "./images/oci/pull-image.ts";
import { openImages } from "./images/open-images.ts";
import { imagePlatform } from "./machine.ts";
import { openTrial } from "./sandbox/trial.fixture.ts";
import { openWorld } from "./world.fixture.ts";

/** A cluster in its own process that runs images, to be killed: says `ready` once its node runs. */
const [, , home = ""] = process.argv;
const { sandboxes } = await openTrial({ directory: join(home, "sandboxes"), hidden: [home] });
const store = new ImageStore(join(home, "images"));
const images = await openImages({
  directory: join(home, "profiles"),
  environment: {},
  isolate: (command) => sandboxes.isolate(command),
  oci: new OciImages(store, new Puller({ store, platform: imagePlatform(), clock: systemClock })),
});
await openWorld({ directory: join(home, "node"), database: join(home, "store.db"), sandboxes, images });
process.stdout.write("ready\n");
// Until it is killed.
setInterval(() => {}, 60_000);
