import { useCallback, useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Notice } from "../parts/Notice";
import { moment, say } from "../words";
import type { Action } from "./recorded";

const SHOWN = 20;

export interface LearntActions {
  readonly actions: readonly Action[];
  readonly failure: Refused | null;
  readonly remarks: readonly string[];
  /** What was done last on this page; its undo stays in sight. */
  readonly last: Action | undefined;
  readonly add: (action: Action) => void;
  readonly undo: (action: Action) => void;
  readonly undoLast: () => void;
}

/** What the classes learnt from detections, newest first, and the way back. */
export function useLearnt(): LearntActions {
  const { service, reload } = useSession();
  const { value, again } = useLoaded(
    (signal) => service.ask(service.api.GET("/actions", { params: { query: { limit: SHOWN } }, signal })),
    [service],
  );
  const [lastId, setLastId] = useState("");
  const [failure, setFailure] = useState<Refused | null>(null);
  const [remarks, setRemarks] = useState<readonly string[]>([]);
  const actions = value?.actions ?? [];
  const last = actions.find(({ id }) => id === lastId);
  const undo = useCallback(
    async ({ id }: Action) => {
      try {
        const params = { path: { action_id: id } };
        const undone = await service.ask(service.api.POST("/actions/{action_id}/undo", { params }));
        setRemarks(undone.remarks);
        setFailure(null);
        setLastId(id);
        reload();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      }
      again();
    },
    [service, reload, again],
  );
  const add = (action: Action) => {
    setLastId(action.id);
    setRemarks([]);
    setFailure(null);
    again();
  };
  return {
    actions,
    failure,
    remarks,
    last,
    add,
    undo,
    undoLast: () => last && !last.undone_at && undo(last),
  };
}

/** The last action of this page, with its undo. */
export function LastLearnt({ learnt: { last, failure, remarks, undo } }: { learnt: LearntActions }) {
  return (
    <>
      {failure && <Failure failure={failure} deed />}
      {last && (
        <div class="undoing" role="status">
          <span>{told(last)}</span>
          {!last.undone_at && (
            <button type="button" class="button" onClick={() => undo(last)}>
              {say("undo")} <kbd>Z</kbd>
            </button>
          )}
          {remarks.map((text) => (
            <span key={text} class="soft">
              <Notice text={text} />
            </span>
          ))}
        </div>
      )}
    </>
  );
}

/** What was learnt lately, whoever did it; each can be undone. */
export function RecentlyLearnt({ learnt: { actions, undo } }: { learnt: LearntActions }) {
  if (actions.length === 0) return null;
  return (
    <section class="sheet recent">
      <h2>{say("recentActions")}</h2>
      <ul class="actionlist">
        {actions.map((action) => (
          <li key={action.id}>
            <span class="name">
              {told(action)}
              <span class="soft">
                {[moment(action.done_at), action.done_by, action.note].filter(Boolean).join(" · ")}
              </span>
            </span>
            {!action.undone_at && (
              <button type="button" class="button plain" onClick={() => undo(action)}>
                {say("undo")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function told({ kind, class_name, undone_at }: Action): string {
  const done = say(kind === "accepted" ? "acceptedAs" : "rememberedAs", { name: class_name });
  return undone_at ? `${done} ${say("wasUndone")}` : done;
}
