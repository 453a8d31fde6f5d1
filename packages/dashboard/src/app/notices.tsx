import { Notification, Portal } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { createStore, useStore, type ExternalStore } from "./external-store.ts";
import classes from "./notices.module.css";

/** Something that the user should know now. */
interface Notice {
  readonly id: number;
  readonly kind: "success" | "failure";
  readonly title: string;
  readonly detail?: string;
}

/** Tells the user things, one below the other. */
export interface Notices {
  readonly store: Pick<ExternalStore<readonly Notice[]>, "get" | "subscribe">;
  add(notice: Omit<Notice, "id">): void;
  remove(id: number): void;
}

/** How long good news stays; bad news stays until it is closed. */
const SUCCESS_MS = 4000;
const MOST = 4;

/** No notices yet. */
export function createNotices(): Notices {
  const store = createStore<readonly Notice[]>([]);
  let last = 0;
  return {
    store,
    add(notice) {
      const others = store.get().filter(({ title, detail }) => title !== notice.title || detail !== notice.detail);
      store.set([...others, { ...notice, id: ++last }].slice(-MOST));
    },
    remove: (id) => store.set(store.get().filter((notice) => notice.id !== id)),
  };
}

/** Shows the notices in the corner, and says them to a screen reader. */
export function NoticeList({ notices }: { readonly notices: Notices }): ReactNode {
  const list = useStore(notices.store);
  return (
    <Portal>
      <div className={classes["list"]} role="region" aria-label="Notifications" aria-live="polite">
        {list.map((notice) => (
          <OneNotice key={notice.id} notice={notice} onClose={() => notices.remove(notice.id)} />
        ))}
      </div>
    </Portal>
  );
}

function OneNotice({ notice, onClose }: { readonly notice: Notice; readonly onClose: () => void }): ReactNode {
  const isGood = notice.kind === "success";
  useEffect(() => {
    if (!isGood) return;
    const timer = setTimeout(onClose, SUCCESS_MS);
    return () => clearTimeout(timer);
  }, [isGood, onClose]);
  return (
    <Notification
      color={isGood ? "teal" : "red"}
      title={notice.title}
      onClose={onClose}
      closeButtonProps={{ "aria-label": "Close" }}
      withBorder
      className={classes["notice"] ?? ""}
    >
      {notice.detail}
    </Notification>
  );
}
