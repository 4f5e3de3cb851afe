import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useLoaded, usePicture } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { Notice } from "../parts/Notice";
import { explained, outcomeOf } from "../parts/outcome";
import { figure, moment, say } from "../words";
import { Boxes } from "./Boxes";
import { Heat } from "./Heat";
import { pathOf, type Recorded, regionsOf } from "./recorded";

/** One detection in full: its picture, what was said, and below it what can be said (`children`). */
export function Shown({ detection, children }: { detection: Recorded; children: ComponentChildren }) {
  const { service } = useSession();
  const { id, word } = detection;
  const { value: detail } = useLoaded(
    (signal) => {
      const params = { path: { detection_id: id } };
      return service.ask(service.api.GET("/detections/{detection_id}", { params, signal }));
    },
    [service, id, word],
  );
  const known = detail?.detection.id === id ? detail : undefined;
  const outcome = outcomeOf(detection);
  const named = regionsOf(detection).flatMap(({ defect }) => (defect ? [defect.name] : []));
  const facts: [string, string | null][] = [
    [say("product"), detection.class_name],
    [say("score"), detection.score === null ? null : figure(detection.score)],
    [say("threshold"), detection.threshold === null ? null : figure(detection.threshold)],
    [say("pValue"), detection.p_value === null ? null : figure(detection.p_value, 2)],
    [say("time"), moment(detection.at)],
    [say("askedBy"), detection.asked_by || null],
  ];
  return (
    <article class="sheet verdict">
      <div class="head">
        <Badge outcome={outcome} large />
        <div>
          <h2 class="name">{detection.file_name || say("unnamed")}</h2>
          <p class="soft">
            {say(explained(outcome))} <strong class="name">{[...new Set(named)].join(", ")}</strong>
          </p>
        </div>
      </div>
      <div class="sides">
        <Picture detection={detection} map={known?.map} />
        <div>
          <dl>
            {facts.map(
              ([name, value]) =>
                value !== null && (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd class="name">{value}</dd>
                  </div>
                ),
            )}
          </dl>
          {children}
        </div>
      </div>
      {detection.warnings.length > 0 && (
        <ul class="warnings">
          {detection.warnings.map((text) => (
            <li key={text}>
              <Notice text={text} />
            </li>
          ))}
        </ul>
      )}
      {known && <SaidBefore words={known.words} />}
    </article>
  );
}

/** `map` is where its anomaly map is, null where none is kept; undefined as long as that is not known. */
function Picture({ detection, map }: { detection: Recorded; map: string | null | undefined }) {
  const kept = detection.picture_bytes > 0;
  const [readable, setReadable] = useState(true);
  const [mapShown, setMapShown] = useState(true);
  const full = kept && readable;
  const { url, failure } = usePicture(pathOf(detection.id, full ? "picture" : "thumbnail"));
  const { width, height } = detection;
  return (
    <div>
      <div class="picture">
        {url ? (
          <img src={url} alt={detection.file_name} onError={() => setReadable(false)} />
        ) : (
          <span class="missing" aria-busy={!failure}>
            {failure ? `${say("noPicture")} (${failure.code})` : ""}
          </span>
        )}
        {url && map && mapShown && <Heat path={map} width={width} height={height} />}
        {url && <Boxes detection={detection} />}
      </div>
      {map && (
        <button
          type="button"
          class="button plain small"
          aria-pressed={mapShown}
          onClick={() => setMapShown(!mapShown)}
        >
          {say("showMap")}
        </button>
      )}
      {map === null && detection.class_name !== null && <p class="soft">{say("mapNotKept")}</p>}
      {!kept && <p class="soft">{say("notKept")}</p>}
      {kept && !readable && <p class="soft">{say("cannotShow")}</p>}
    </div>
  );
}

/** All that people said of it, so far. */
function SaidBefore({ words }: { words: readonly Schema["Said"][] }) {
  if (words.length === 0) return null;
  return (
    <section>
      <h3>{say("saidBefore")}</h3>
      <ul class="notices">
        {words.map((said) => (
          <li key={said.id}>
            {[say(`word_${said.word}`), said.comment, said.said_by, moment(said.said_at)]
              .filter(Boolean)
              .join(" · ")}
          </li>
        ))}
      </ul>
    </section>
  );
}
