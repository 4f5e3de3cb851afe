import { useCallback, useMemo, useState } from "preact/hooks";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { ClassField } from "../parts/ClassField";
import { Intake } from "../parts/Intake";
import { outcomeOf } from "../parts/outcome";
import { say } from "../words";
import { type Item, Queue } from "./queue";
import { Verdict } from "./Verdict";

/** Pictures in, verdicts out: one in full, of several a list beside it. */
export function Inspect() {
  const { classes, service } = useSession();
  const [, redraw] = useState(0);
  const [className, setClassName] = useState<string>(history.state?.className ?? ""); // as a link to here names it
  const [chosen, setChosen] = useState(0);
  const queue = useMemo(() => new Queue(service, () => redraw((count) => count + 1)), [service]);
  const take = useCallback(
    (files: File[]) => files.length > 0 && queue.add(files, className),
    [queue, className],
  );
  const { items } = queue;
  const item = items.find(({ id }) => id === chosen) ?? items[0];
  const done = items.filter(({ state }) => state === "judged" || state === "failed").length;
  return (
    <main>
      <h1>{say("inspect")}</h1>
      {classes.length === 0 && <p class="note">{say("noClasses")}</p>}
      <ClassField value={className} empty={say("anyClass")} onChange={setClassName} />
      <Intake onFiles={take} />
      {queue.hitch && (
        <p class="note" role="status">
          {say("unreachable")} {queue.hitch}
        </p>
      )}
      {items.length > 0 && (
        <p class="progress" role="status">
          {say("done", { done, all: items.length })}
          <button type="button" class="button plain" onClick={() => queue.clear()}>
            {say("remove")}
          </button>
        </p>
      )}
      <div class={items.length > 1 ? "several" : ""}>
        {items.length > 1 && <Results items={items} chosen={item?.id} onChoose={setChosen} />}
        {item && <Verdict key={item.id} item={item} />}
      </div>
    </main>
  );
}

interface Listed {
  items: readonly Item[];
  chosen: number | undefined;
  onChoose: (id: number) => void;
}

function Results({ items, chosen, onChoose }: Listed) {
  return (
    <nav class="results" aria-label={say("results")}>
      <ul>
        {items.map((item) => (
          <li key={item.id}>
            <button type="button" aria-pressed={item.id === chosen} onClick={() => onChoose(item.id)}>
              <span class="name">{item.file.name}</span>
              {item.detection ? <Badge outcome={outcomeOf(item.detection)} /> : <State item={item} />}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function State({ item }: { item: Item }) {
  return <span class={`badge ${item.state}`}>{say(item.state as "waiting" | "judging" | "failed")}</span>;
}
