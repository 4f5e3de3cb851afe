import { useRef, useState } from "preact/hooks";
import { useParams } from "wouter-preact";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { say } from "../words";
import { AcceptWindow } from "./AcceptWindow";
import { DefectWindow } from "./DefectWindow";
import { Filters, QUEUE } from "./Filters";
import { useKeys } from "./keys";
import { LastLearnt, RecentlyLearnt, useLearnt } from "./Learnt";
import { useQueue } from "./queue";
import { type Action, fits, type Recorded, type Word } from "./recorded";
import "./review.css";
import { Shown } from "./Shown";
import { Strip } from "./Strip";
import { WordButtons } from "./WordButtons";

/** The queue of recent detections: what people say of them, and what the classes learn from that. */
export function Review() {
  const { service, reload } = useSession();
  const [filter, setFilter] = useState(QUEUE);
  const [window, setWindow] = useState<"accept" | "defect" | null>(null);
  const [comment, setComment] = useState("");
  const [by, setBy] = useState("");
  const [failure, setFailure] = useState<Refused | null>(null);
  const [judged, setJudged] = useState(0);
  const { "*": first = "" } = useParams();
  const queue = useQueue(filter, first);
  const learnt = useLearnt();
  const item = queue.items?.[queue.at];
  const allSaid = judged > 0 && queue.items?.every(({ word }) => word !== null);
  const telling = useRef(false);
  const tell = async (word: Word) => {
    if (!item || telling.current) return;
    if (!fits(word, item)) return setFailure(new Refused(422, "invalid_parameters", say("doesNotFit"), 0));
    telling.current = true;
    try {
      const said = { params: { path: { detection_id: item.id } }, body: { word, comment, by } };
      await service.ask(service.api.POST("/detections/{detection_id}/words", said));
      setFailure(null);
      setComment("");
      mark(item, word);
      queue.go(queue.at + 1);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setFailure(error);
    } finally {
      telling.current = false;
    }
  };
  const mark = (of: Recorded, word: Word | null) => {
    if (of.word === null && word !== null) setJudged((count) => count + 1);
    queue.put({ ...of, word });
  };
  const done = (action: Action) => {
    setWindow(null);
    learnt.add(action);
    reload();
    if (!item) return;
    if (action.kind === "defect") mark(item, item.decision === "reject" ? "correct" : "missed");
    else mark(item, fits("false_alarm", item) ? "false_alarm" : item.word); // as the service writes it down
    queue.go(queue.at + 1);
  };
  useKeys(window === null, {
    c: () => tell("correct"),
    f: () => tell("false_alarm"),
    m: () => tell("missed"),
    u: () => tell("unsure"),
    a: () => item && setWindow("accept"),
    d: () => item && setWindow("defect"),
    ArrowRight: () => queue.go(queue.at + 1),
    ArrowLeft: () => queue.go(queue.at - 1),
    z: () => learnt.undoLast(),
  });
  return (
    <main class="reviewing">
      <h1>{say("reviewView")}</h1>
      <Filters filter={filter} onChange={setFilter} />
      {queue.failure && <Failed failure={queue.failure} again={queue.reload} />}
      <LastLearnt learnt={learnt} />
      {queue.items && (
        <p class="progress" role="status">
          {say("reviewed", { judged })}
          {queue.open !== null && ` ${say("leftToReview", { left: queue.open })}`}
          <button type="button" class="button plain" onClick={queue.reload}>
            {say("lookForNew")}
          </button>
        </p>
      )}
      {allSaid && (
        <p class="nothing" role="status">
          {say("allReviewed")}
        </p>
      )}
      {queue.items?.length === 0 && <p class="nothing">{say("nothingToReview")}</p>}
      {queue.items && item && (
        <div class="desk">
          <Strip items={queue.items} at={queue.at} onChoose={queue.go} />
          <Shown key={item.id} detection={item}>
            {failure && <Failure failure={failure} deed />}
            <WordButtons
              item={item}
              onWord={tell}
              onLearn={setWindow}
              comment={comment}
              onComment={setComment}
              by={by}
              onBy={setBy}
            />
          </Shown>
        </div>
      )}
      <RecentlyLearnt learnt={learnt} />
      {item && window === "accept" && (
        <AcceptWindow detection={item} by={by} onDone={done} onClose={() => setWindow(null)} />
      )}
      {item && window === "defect" && (
        <DefectWindow detection={item} by={by} onDone={done} onClose={() => setWindow(null)} />
      )}
    </main>
  );
}

/** What is wrong; where no history is kept, what turns it on. */
function Failed({ failure, again }: { failure: Refused; again: () => void }) {
  if (failure.code !== "history_off") return <Failure failure={failure} again={again} />;
  return (
    <div class="nothing">
      <p>{`${say("noHistory")} (history_off)`}</p>
      <p class="soft">{say("historyOn")}</p>
    </div>
  );
}
