import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Notice } from "../parts/Notice";
import { say } from "../words";

/** A change that was made, and what leads back. */
export interface Change {
  readonly text: string;
  /** The version that served before. */
  readonly before: string;
  readonly remarks: readonly string[];
  /** A job that keeps the bank in shape; null: none is needed. */
  readonly job: string | null;
}

interface Given {
  className: string;
  change: Change;
  onChange: (change: Change | null) => void;
}

/** Tells of a change as long as the page is open, with the way back. */
export function Changed({ className, change, onChange }: Given) {
  const { service } = useSession();
  const [failure, setFailure] = useState<Refused | null>(null);
  const back = async () => {
    const params = { path: { class_name: className } };
    try {
      const body = { version: change.before };
      await service.ask(service.api.POST("/classes/{class_name}/activate", { params, body }));
      onChange(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setFailure(error);
    }
  };
  return (
    <div class="sheet changed" role="status">
      <p>
        <strong>{change.text}</strong>
      </p>
      {change.remarks.length > 0 && (
        <ul class="notices">
          {change.remarks.map((text) => (
            <li key={text}>
              <Notice text={text} />
            </li>
          ))}
        </ul>
      )}
      {failure && <Failure failure={failure} deed />}
      <div class="actions">
        <button type="button" class="button" onClick={back}>
          {say("versionBack")}
        </button>
        {change.job && <Link href={`/teach/job/${change.job}`}>{say("upkeepJob")}</Link>}
      </div>
    </div>
  );
}
