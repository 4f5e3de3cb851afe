import { useAttempt } from "../api/attempt";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Stored } from "../parts/Stored";
import { Window } from "../parts/Window";
import { figure, say } from "../words";
import type { Change } from "./Changed";
import { type Reference, thumbnailOf } from "./References";

interface Given {
  className: string;
  version: string;
  reference: Reference;
  onDone: (change: Change) => void;
  onClose: () => void;
}

/** Asks once more, and withdraws a reference. */
export function Withdraw({ className, version, reference, onDone, onClose }: Given) {
  const { service } = useSession();
  const { busy, refused, attempt } = useAttempt();
  const { name, image_id } = reference;
  const withdraw = () =>
    attempt(async () => {
      const params = { path: { class_name: className, image_id } };
      const asked = service.api.DELETE("/classes/{class_name}/references/{image_id}", { params });
      const { before, threshold, remarks, job } = await service.ask(asked);
      const text = say("wasWithdrawn", { name, score: figure(threshold) });
      onDone({ text, before, remarks, job });
    });
  return (
    <Window title={say("withdrawTitle")} onClose={onClose}>
      <p class="name">{say("withdrawSays", { name })}</p>
      <Stored name="large" path={thumbnailOf(className, image_id, version)} alt={name} />
      {refused && <Failure failure={refused} deed />}
      <div class="actions">
        <button type="button" class="button" disabled={busy} onClick={withdraw}>
          {say("withdraw")}
        </button>
      </div>
    </Window>
  );
}
