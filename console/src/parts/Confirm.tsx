import type { ComponentChildren } from "preact";
import { useAttempt } from "../api/attempt";
import { say } from "../words";
import { Failure } from "./Failure";
import { Window } from "./Window";

interface Given {
  title: string;
  /** What the button that does it says: the deed itself, never "OK". */
  deed: string;
  /** What exactly will happen, and how it is undone. */
  children: ComponentChildren;
  act: () => Promise<void>;
  onClose: () => void;
}

/** Asks before something is done, and stays with the service's words where it is refused. */
export function Confirm({ title, deed, children, act, onClose }: Given) {
  const { busy, refused, attempt } = useAttempt();
  const go = () =>
    attempt(async () => {
      await act();
      onClose();
    });
  return (
    <Window title={title} onClose={onClose}>
      {children}
      {refused && <Failure failure={refused} />}
      <p class="actions">
        <button type="button" class="button" disabled={busy} aria-busy={busy} onClick={() => void go()}>
          {deed}
        </button>
        <button type="button" class="button plain" onClick={onClose}>
          {say("cancel")}
        </button>
      </p>
    </Window>
  );
}
