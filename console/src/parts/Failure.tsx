import type { Refused } from "../api/service";
import { say } from "../words";
import { Fault } from "./Notice";

interface Given {
  failure: Refused;
  again?: (() => void) | undefined;
  /** Whether a person asked for something to be done: that is not asked again by itself. */
  deed?: boolean;
}

/** What went wrong in the service's words, with the code that its documentation explains, and a way to try again. */
export function Failure({ failure, again, deed = false }: Given) {
  const away = say(deed ? "noAnswer" : "unreachable");
  return (
    <div class="note" role="alert">
      <p>{failure.status === 0 ? away : <Fault code={failure.code} message={failure.message} />}</p>
      {again && (
        <button type="button" class="button plain" onClick={again}>
          {say("again")}
        </button>
      )}
    </div>
  );
}
