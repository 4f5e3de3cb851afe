import { useCallback, useMemo, useState } from "preact/hooks";
import { Link, useLocation, useParams } from "wouter-preact";
import { ClassField } from "../parts/ClassField";
import { Intake } from "../parts/Intake";
import { say } from "../words";
import { Camera } from "./Camera";
import { Downloads } from "./Downloads";
import { Grid } from "./Grid";
import "./inspect.css";
import type { Item } from "./item";
import { AS_THEY_CAME, arranged } from "./order";
import type { Queue } from "./queue";
import { Thumbs } from "./Thumb";
import { useQueue } from "./useQueue";
import { Verdict } from "./Verdict";
import { Welcome } from "./Welcome";

/** Pictures in, verdicts out: one in full, several as a list of which each leads to its own page. */
export function Inspect() {
  const queue = useQueue();
  const [, go] = useLocation();
  const { picture } = useParams();
  const [className, setClassName] = useState<string>(history.state?.className ?? ""); // as a link to here names it
  const [camera, setCamera] = useState(false);
  const take = useCallback(
    (files: File[]) => {
      if (files.length === 0) return;
      queue.add(files, className);
      go("/");
    },
    [queue, className, go],
  );
  const { items } = queue;
  const [by, setBy] = useState(AS_THEY_CAME);
  const thumbs = useMemo(() => new Thumbs(), []);
  const all = arranged(items, { ...by, only: null });
  const some = by.only === null ? all : arranged(all, { ...AS_THEY_CAME, only: by.only });
  const shown = some.length > 0 ? some : all; // the last one of an outcome was judged again
  const item = items.length === 1 ? items[0] : items.find(({ id }) => id === Number(picture));
  return (
    <main class="inspect">
      <h1>{say("inspect")}</h1>
      <Intake onFiles={take}>
        {navigator.mediaDevices ? (
          <button type="button" class="button plain" onClick={() => setCamera(true)}>
            {say("camera")}
          </button>
        ) : null}
        <ClassField value={className} empty={say("anyClass")} onChange={setClassName} />
      </Intake>
      {camera && <Camera onPicture={(file) => take([file])} onClose={() => setCamera(false)} />}
      {queue.hitch && (
        <p class="note" role="status">
          {say("unreachable")} {queue.hitch}
        </p>
      )}
      {items.length === 0 && <Welcome />}
      {items.length > 0 && <Progress queue={queue} shown={shown} />}
      {item && items.length > 1 && <Way items={shown.includes(item) ? shown : all} item={item} />}
      {item && <Verdict key={item.id} item={item} />}
      {!item && items.length > 0 && (
        <Grid
          {...{ items, shown, thumbs }}
          by={shown === some ? by : { ...by, only: null }}
          onArrange={setBy}
        />
      )}
    </main>
  );
}

/** How far the queue is, and what can be done with all of it. */
function Progress({ queue, shown }: { queue: Queue; shown: readonly Item[] }) {
  const { items, done } = queue;
  const failed = items.filter(({ state }) => state === "failed").map(({ id }) => id);
  return (
    <div class="progress">
      {items.length > 1 && (
        <label class="far">
          <span role="status">{say("done", { done, all: items.length })}</span>
          <progress value={done} max={items.length} />
        </label>
      )}
      <span class="space" />
      {failed.length > 0 && (
        <button type="button" class="button plain" onClick={() => queue.again(failed)}>
          {say("failedAgain", { count: failed.length })}
        </button>
      )}
      {done > 0 && <Downloads items={shown} />}
      <button type="button" class="button plain" onClick={() => queue.clear()}>
        {say("remove")}
      </button>
    </div>
  );
}

/** From one picture to the next, and back to the list. */
function Way({ items, item }: { items: readonly Item[]; item: Item }) {
  const place = items.indexOf(item);
  const to = (other: Item | undefined, text: string) =>
    other ? (
      <Link class="button plain" href={`/pictures/${other.id}`}>
        {text}
      </Link>
    ) : (
      <span class="button plain off">{text}</span>
    );
  return (
    <nav class="way" aria-label={say("results")}>
      <Link class="button plain" href="/">
        {say("allResults")}
      </Link>
      <span class="space" />
      {to(items[place - 1], say("before"))}
      <span>{say("placeOf", { place: place + 1, all: items.length })}</span>
      {to(items[place + 1], say("after"))}
    </nav>
  );
}
