import { useEffect, useState } from "preact/hooks";
import { Refused, type Schema, type Service } from "../api/service";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { Fault } from "../parts/Notice";
import { outcomeOf } from "../parts/outcome";
import { figure, moment, say } from "../words";
import { Crop } from "./Crop";
import type { Recorded } from "./Feed";
import { defectsOf, regionsOf } from "./PartPicture";
import { scoreLine } from "./Tile";

/** How many patches beside each other are seen around the one that is compared. */
const PATCHES_SEEN = 8;

type Comparison = Schema["Comparison"];

/** The last part that was rejected: the place beside the nearest normal patch. */
export function LastReject({ name, detection }: { name: string; detection: Recorded }) {
  const { compared, failure } = useComparison(detection);
  const region = regionsOf(detection)[0];
  const [left, top, right, bottom] = region?.box ?? [0, 0, detection.width, detection.height];
  const patch = compared ? compared.box[2] - compared.box[0] : 0;
  const side = patch > 0 ? PATCHES_SEEN * patch : Math.max(right - left, bottom - top);
  const nearest = compared?.nearest;
  return (
    <figure>
      <figcaption>
        <strong>{say("lastReject")}</strong> <time dateTime={detection.at}>{moment(detection.at)}</time>{" "}
        <Badge outcome={outcomeOf(detection)} /> <span class="name">{defectsOf(detection).join(", ")}</span>{" "}
        <span class="soft">{scoreLine(detection)}</span>
      </figcaption>
      <div class="beside">
        <Crop
          path={`/detections/${detection.id}/${detection.picture_bytes ? "picture" : "thumbnail"}`}
          size={[detection.width, detection.height]}
          box={compared?.box ?? [left, top, right, bottom]}
          side={side}
          title={say("thePlace")}
        />
        {nearest ? (
          <Crop
            path={`/classes/${name}/references/${nearest.reference_id}/thumbnail?version=${compared.bank_version}`}
            size={[nearest.width, nearest.height]}
            box={nearest.box as [number, number, number, number]}
            side={side}
            title={say("nearestNormal", { distance: figure(nearest.distance, 3) })}
          />
        ) : (
          <p class="soft" aria-busy={!failure && compared === undefined}>
            {failure ? (
              <Fault code={failure.code} message={failure.message} />
            ) : (
              say(compared === null ? "noNearest" : "loading")
            )}
          </p>
        )}
      </div>
    </figure>
  );
}

/** The nearest normal patch of the worst place; null where there is nothing to compare. */
function useComparison(detection: Recorded) {
  const { service } = useSession();
  const [compared, setCompared] = useState<Comparison | null>();
  const [failure, setFailure] = useState<Refused>();
  useEffect(() => {
    const stop = new AbortController();
    compare(service, detection, stop.signal).then(
      (found) => stop.signal.aborted || setCompared(found),
      (error) => {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      },
    );
    return () => stop.abort();
  }, [service, detection]);
  return { compared, failure };
}

async function compare(
  service: Service,
  detection: Recorded,
  signal: AbortSignal,
): Promise<Comparison | null> {
  const region = regionsOf(detection)[0];
  if (!region || !detection.class_name || !detection.picture_bytes) return null;
  const [left, top, right, bottom] = region.box;
  const [x, y] = region.peak ?? [(left + right) / 2, (top + bottom) / 2];
  const form = new FormData();
  form.set("file", await service.picture(`/detections/${detection.id}/picture`, signal), detection.file_name);
  form.set("class_name", detection.class_name);
  form.set("x", String(x));
  form.set("y", String(y));
  const asked = service.api.POST("/detect/nearest", {
    body: form as never,
    bodySerializer: (body) => body as never,
    signal,
  });
  return (await service.ask(asked)) as Comparison;
}
