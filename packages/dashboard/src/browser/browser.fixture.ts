import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Where pictures of what the tests saw go. */
export const SCREENSHOTS: string = join(tmpdir(), "sluice-dashboard");

/** Debian's Chromium. */
export async function launch(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`there is no ${CHROMIUM}: these tests need a browser\n  fix: apt-get install chromium`);
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS, headless: true });
}

/** How long a page may take for anything. */
const PATIENCE_MS = 10_000;

/** How a page is opened. */
export interface Look {
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

/** An open page, and what went wrong in it. */
export interface Opened {
  readonly page: Page;
  readonly problems: string[];
  /** Keeps a picture of what is seen. */
  shoot(name: string): Promise<void>;
}

/** Opens an address in a browser of its own memory. */
export async function open(browser: Browser, url: string, { scheme = "light", width = 1360, height = 860 }: Look = {}): Promise<Opened> {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  await page.goto(url);
  return {
    page,
    problems,
    async shoot(name) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    },
  };
}
