import { useCallback, useState } from "preact/hooks";
import { type Detection, Refused } from "../api/service";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { Failure } from "../parts/Failure";
import { Intake } from "../parts/Intake";
import { Notice } from "../parts/Notice";
import { outcomeOf } from "../parts/outcome";
import { figure, say } from "../words";

interface Tried {
  name: string;
  detection?: Detection;
  failure?: Refused;
}

/** Judges a picture with one class, at once. */
export function TryIt({ className }: { className: string }) {
  const { service } = useSession();
  const [tried, setTried] = useState<Tried | null>(null);
  const take = useCallback(
    async ([file]: File[]) => {
      if (!file) return;
      const { name } = file;
      setTried({ name });
      try {
        const detection = await service.send<Detection>("/detect", formOf(file, className));
        setTried({ name, detection });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        setTried({ name, failure: error });
      }
    },
    [service, className],
  );
  return (
    <section class="sheet">
      <h2>{say("tryIt")}</h2>
      <Intake onFiles={take} />
      {tried && (
        <div class="tried" aria-live="polite">
          <p class="name">{tried.name}</p>
          {tried.failure && <Failure failure={tried.failure} />}
          {!tried.detection && !tried.failure && <p class="soft">{say("judging")}</p>}
          {tried.detection && <Verdict detection={tried.detection} />}
        </div>
      )}
    </section>
  );
}

function Verdict({ detection }: { detection: Detection }) {
  const { anomaly_score: score, threshold, anomaly_map_base64: map, warnings } = detection;
  return (
    <>
      <Badge outcome={outcomeOf(detection)} large />
      {score !== null && threshold !== null && (
        <p>{`${say("score")} ${figure(score)}, ${say("threshold")} ${figure(threshold)}`}</p>
      )}
      {warnings.map((text) => (
        <p key={text} class="soft">
          <Notice text={text} />
        </p>
      ))}
      {map && <img class="picture" alt={say("picture")} src={`data:image/png;base64,${map}`} />}
    </>
  );
}

function formOf(file: File, className: string): FormData {
  const form = new FormData();
  form.set("file", file, file.name);
  form.set("class_name", className);
  form.set("map_format", "overlay");
  return form;
}
