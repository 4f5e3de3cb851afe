import { useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Confirm } from "../parts/Confirm";
import { Facts } from "../parts/Facts";
import { Failure } from "../parts/Failure";
import { Mark } from "../parts/Mark";
import { figure, moment, percent, say } from "../words";
import type { ClassDetail, Served } from "./ClassPage";
import { Decisions, DiffersAt } from "./Differing";
import { Serve } from "./GoBack";
import { ShadowForm } from "./ShadowForm";

interface Given {
  detail: ClassDetail;
  onServed: (served: Served) => void;
}

/** A version that judges beside the serving one and decides nothing. */
export function Shadow({ detail, onServed }: Given) {
  const { service } = useSession();
  const name = detail.class_name;
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/shadow", { params: { path: { class_name: name } }, signal }),
      ),
    [service, name, detail.version],
  );
  const none = failure?.code === "unknown_shadow";
  return (
    <section class="sheet">
      <p class="soft">{say("shadowSays")}</p>
      {failure && !none && <Failure failure={failure} again={again} />}
      {!value && !failure && <p aria-busy="true">{say("loading")}</p>}
      {none && <ShadowForm detail={detail} onStarted={again} />}
      {value && !failure && (
        <Candidate key={value.version} detail={detail} shadow={value} onChanged={again} onServed={onServed} />
      )}
    </section>
  );
}

interface Running extends Given {
  shadow: Schema["ShadowOut"];
  onChanged: () => void;
}

const ENDED = {
  activated: "endedActivated",
  version_gone: "endedGone",
  class_gone: "endedClassGone",
} as const;

function Candidate({ detail, shadow, onChanged, onServed }: Running) {
  const { service } = useSession();
  const [asks, setAsks] = useState<"drop" | "serve">();
  const name = detail.class_name;
  const close = () => setAsks(undefined);
  const drop = async () => {
    await service.ask(
      service.api.DELETE("/classes/{class_name}/shadow", { params: { path: { class_name: name } } }),
    );
    onChanged();
  };
  const failed = Object.entries(shadow.failed).map(([code, count]) => `${code}: ${count}`);
  return (
    <>
      <h2>
        {say("candidate", { version: shadow.version })}{" "}
        {shadow.state === "running" ? (
          <Mark tone="good">{say("shadowRuns")}</Mark>
        ) : (
          <Mark tone="quiet">{say(shadow.ended ? ENDED[shadow.ended] : "shadowEnded")}</Mark>
        )}
      </h2>
      <Facts
        rows={[
          [say("since"), moment(shadow.since)],
          [say("share"), percent(shadow.share, 3)],
          [say("startedBy"), shadow.by || null],
          [say("judged"), figure(shadow.judged, 9)],
          [say("agreed"), figure(shadow.agreed, 9)],
          [say("disagreed"), figure(shadow.disagreed, 9)],
          [say("skipped"), shadow.skipped > 0 ? figure(shadow.skipped, 9) : null],
          [say("notJudged"), failed.join(", ") || null],
        ]}
      />
      {shadow.judged === 0 && shadow.state === "running" && <p class="hint">{say("shadowWaits")}</p>}
      <Decisions
        first={say("servingVersion")}
        second={say("candidateVersion")}
        pairs={shadow.decisions.map((pair) => [pair.serving, pair.candidate, pair.detections])}
      />
      <p class="actions">
        {shadow.state === "running" && (
          <button type="button" class="button" onClick={() => setAsks("serve")}>
            {say("letServe")}
          </button>
        )}
        <button type="button" class="button plain" onClick={() => setAsks("drop")}>
          {say("dropShadow")}
        </button>
        <button type="button" class="button plain" onClick={onChanged}>
          {say("lookAgain")}
        </button>
      </p>
      {asks === "drop" && (
        <Confirm title={say("dropShadow")} deed={say("dropShadow")} act={drop} onClose={close}>
          <p>{say("dropSays", { version: shadow.version })}</p>
        </Confirm>
      )}
      {asks === "serve" && (
        <Serve
          name={name}
          version={shadow.version}
          serving={detail.version}
          onServed={onServed}
          onClose={close}
        />
      )}
      {shadow.disagreed > 0 && <Disagreements name={name} judged={shadow.judged} />}
    </>
  );
}

const MOST = 50;

function Disagreements({ name, judged }: { name: string; judged: number }) {
  const { service } = useSession();
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/shadow/disagreements", {
          params: { path: { class_name: name }, query: { limit: MOST } },
          signal,
        }),
      ),
    [service, name, judged],
  );
  return (
    <>
      <h3>{say("disagreementsTitle")}</h3>
      {failure && <Failure failure={failure} again={again} />}
      <ul class="differing">
        {value?.disagreements.map(({ detection, serving, candidate, thumbnail }) => (
          <DiffersAt
            key={detection.id}
            thumbnail={thumbnail}
            file={detection.file_name}
            at={detection.at}
            word={detection.word}
            judgements={[
              [say("servingVersion"), serving],
              [say("candidateVersion"), candidate],
            ]}
          />
        ))}
      </ul>
      {value?.after && <p class="soft">{say("newestOnly", { count: MOST })}</p>}
    </>
  );
}
