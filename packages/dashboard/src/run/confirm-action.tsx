import { Button, Group, Modal, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Run } from "@sluice/sdk";
import { useRunAction, type RunAction } from "../api/use-run-actions.ts";

const QUESTIONS: Partial<Record<RunAction, { readonly title: string; readonly consequence: string; readonly verb: string }>> = {
  terminate: {
    title: "Terminate this run?",
    consequence: "What is running stops at once. What has ended keeps its results, and the run can be retried.",
    verb: "Terminate",
  },
  delete: { title: "Delete this run?", consequence: "Its records, logs and pods go for good. Artifacts stay in the object store.", verb: "Delete" },
};

/** Whether an action is only done after a question. */
export function needsConfirmation(action: RunAction): boolean {
  return QUESTIONS[action] !== undefined;
}

interface ConfirmActionProps {
  readonly run: Pick<Run, "run_id" | "display_name">;
  readonly action: RunAction;
  readonly onClose: () => void;
  readonly onDone?: () => void;
}

/** Asks before doing what cannot be undone. */
export function ConfirmAction({ run, action, onClose, onDone }: ConfirmActionProps): ReactNode {
  const { mutate, isPending } = useRunAction(run.run_id, action);
  const question = QUESTIONS[action];
  if (question === undefined) return null;
  const confirm = (): void => mutate(undefined, { onSuccess: () => onDone?.(), onSettled: onClose });
  return (
    <Modal opened onClose={onClose} title={question.title} centered closeButtonProps={{ "aria-label": "Close" }}>
      <Text fw={600} style={{ overflowWrap: "anywhere" }}>
        {run.display_name}
      </Text>
      <Text size="sm" mt={4}>
        {question.consequence}
      </Text>
      <Group justify="flex-end" mt="lg" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          Keep it
        </Button>
        <Button color="red" onClick={confirm} loading={isPending}>
          {question.verb}
        </Button>
      </Group>
    </Modal>
  );
}
