import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useLoaded, usePicture } from "../api/loaded";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { explained, outcomeOf } from "../parts/outcome";
import { figure, moment, say } from "../words";
import { Boxes } from "./Boxes";
import { pathOf, type Recorded, regionsOf } from "./recorded";

/** One detection in full: its picture, what was said, and below it what can be said (`children`). */
export function Shown({ detection, children }: { detection: Recorded; children: ComponentChildren }) {
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
        <Picture detection={detection} />
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
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      <SaidBefore id={detection.id} word={detection.word} />
    </article>
  );
}

function Picture({ detection }: { detection: Recorded }) {
  const kept = detection.picture_bytes > 0;
  const [readable, setReadable] = useState(true);
  const full = kept && readable;
  const { url, failure } = usePicture(pathOf(detection.id, full ? "picture" : "thumbnail"));
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
        {url && <Boxes detection={detection} />}
      </div>
      {!kept && <p class="soft">{say("notKept")}</p>}
      {kept && !readable && <p class="soft">{say("cannotShow")}</p>}
    </div>
  );
}

/** All that people said of it, so far. */
function SaidBefore({ id, word }: { id: string; word: Recorded["word"] }) {
  const { service } = useSession();
  const { value } = useLoaded(
    (signal) => {
      const params = { path: { detection_id: id } };
      return service.ask(service.api.GET("/detections/{detection_id}", { params, signal }));
    },
    [service, id, word],
  );
  if (!value?.words.length) return null;
  return (
    <section>
      <h3>{say("saidBefore")}</h3>
      <ul class="notices">
        {value.words.map((said) => (
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
