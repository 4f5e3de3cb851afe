import type { Refused } from "../api/service";
import { say } from "../words";

/** What went wrong in the service's words, with the code that its documentation explains, and a way to try again. */
export function Failure({ failure, again }: { failure: Refused; again?: (() => void) | undefined }) {
  return (
    <div class="note" role="alert">
      <p>{failure.status === 0 ? say("unreachable") : `${failure.message} (${failure.code})`}</p>
      {again && (
        <button type="button" class="button plain" onClick={again}>
          {say("again")}
        </button>
      )}
    </div>
  );
}
