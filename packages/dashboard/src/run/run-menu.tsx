import { ActionIcon, Menu } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { Run } from "@sluice/sdk";
import { actionsFor, useRunAction, type RunAction } from "../api/use-run-actions.ts";
import { Icon, type IconName } from "../app/icons.tsx";
import { ConfirmAction, needsConfirmation } from "./confirm-action.tsx";

/** How an action is offered. */
export const ACTION_LOOKS: Readonly<Record<RunAction, { readonly label: string; readonly icon: IconName }>> = {
  terminate: { label: "Terminate", icon: "stop" },
  retry: { label: "Retry what failed", icon: "retry" },
  archive: { label: "Archive", icon: "archive" },
  unarchive: { label: "Restore from the archive", icon: "restore" },
  delete: { label: "Delete…", icon: "trash" },
};

interface RunMenuProps {
  readonly run: Run;
  /** Those that are offered elsewhere. */
  readonly without?: readonly RunAction[];
  readonly onDeleted?: () => void;
}

/** What can be done to a run, behind three dots. */
export function RunMenu({ run, without = [], onDeleted }: RunMenuProps): ReactNode {
  const [asked, setAsked] = useState<RunAction>();
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions on ${run.display_name}`}>
            <Icon name="dots" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {actionsFor(run)
            .filter((action) => !without.includes(action))
            .map((action) => (
              <ActionItem key={action} run={run} action={action} onAsk={() => setAsked(action)} />
            ))}
        </Menu.Dropdown>
      </Menu>
      {asked === undefined ? null : (
        <ConfirmAction run={run} action={asked} onClose={() => setAsked(undefined)} {...(onDeleted === undefined ? {} : { onDone: onDeleted })} />
      )}
    </>
  );
}

function ActionItem({ run, action, onAsk }: { readonly run: Run; readonly action: RunAction; readonly onAsk: () => void }): ReactNode {
  const { mutate } = useRunAction(run.run_id, action);
  const { label, icon } = ACTION_LOOKS[action];
  return (
    <Menu.Item
      leftSection={<Icon name={icon} />}
      {...(action === "delete" ? { color: "red" } : {})}
      onClick={() => (needsConfirmation(action) ? onAsk() : mutate())}
    >
      {label}
    </Menu.Item>
  );
}
