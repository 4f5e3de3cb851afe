import { useEffect, useRef } from "preact/hooks";
import { useLoaded, usePicture } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Notice } from "../parts/Notice";
import { figure, say } from "../words";
import { type Box, Crop } from "./Crop";
import { type Comparison, nearest } from "./detect";
import type { Item } from "./item";
import type { Point } from "./look";
import { useImage } from "./useShown";

interface Given {
  item: Item;
  className: string;
  point: Point;
  /** The picture, and the width of the original: the image may be a smaller copy. */
  image: HTMLImageElement | null;
  width: number;
  /** The picture's own file, where the browser knows its format. */
  file: Blob | undefined;
  /** Told the patch that covers the point. */
  onPatch: (box: Box) => void;
}

/** The patch at a point of a picture beside its nearest normal patch, and the reference that this is of. */
export function Compare({ item, className, point: [x, y], image, width, file, onPatch }: Given) {
  const { service } = useSession();
  const version = item.detection?.bank_version ?? "";
  const { value, failure, again } = useLoaded(
    (signal) => nearest(service, item.file, className, version, [x, y], signal),
    [item, className, version, x, y],
  );
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!value) return;
    onPatch(value.box);
    place.current?.scrollIntoView({ block: "nearest" }); // on a narrow screen it is far below the picture
  }, [value]);
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("comparing")}</p>;
  return (
    <div ref={place} class="compare" aria-live="polite">
      <div class="pair">
        <figure>
          <Crop {...{ image, file, width }} box={value.box} label={say("patchHere")} />
          <figcaption>{say("patchHere")}</figcaption>
        </figure>
        <Reference comparison={value} />
      </div>
      <Facts comparison={value} limit={item.detection?.pixel_threshold ?? null} />
    </div>
  );
}

function Reference({ comparison: { class_name, bank_version, nearest } }: { comparison: Comparison }) {
  const path = `/classes/${encodeURIComponent(class_name)}/references/${nearest.reference_id}/thumbnail`;
  const { url, failure } = usePicture(`${path}?version=${encodeURIComponent(bank_version)}`);
  const image = useImage(url);
  const [left, top, right, bottom] = nearest.box;
  if (failure) return <Failure failure={failure} />;
  if (!(image instanceof HTMLImageElement)) return <span class="patchcrop missing" aria-busy="true" />;
  return (
    <>
      <figure>
        <Crop image={image} width={nearest.width} box={nearest.box} label={say("patchNormal")} />
        <figcaption>{say("patchNormal")}</figcaption>
      </figure>
      <figure class="reference">
        <span class="patchcrop">
          <img src={image.src} alt={nearest.name} />
          <svg viewBox={`0 0 ${nearest.width} ${nearest.height}`} aria-hidden="true">
            <rect x={left} y={top} width={right - left} height={bottom - top} />
          </svg>
        </span>
        <figcaption>{say("placeInReference")}</figcaption>
      </figure>
    </>
  );
}

function Facts({ comparison, limit }: { comparison: Comparison; limit: number | null }) {
  const { nearest, counts, warnings } = comparison;
  return (
    <>
      <dl>
        <div>
          <dt>{say("distance")}</dt>
          <dd>
            {figure(nearest.distance)}
            {limit ? (
              <small>{say("timesLimit", { times: figure(nearest.distance / limit, 2) })}</small>
            ) : null}
          </dd>
        </div>
        <div>
          <dt>{say("fromReference")}</dt>
          <dd class="name">
            {nearest.name}
            {nearest.source && nearest.source !== nearest.name ? <small>{nearest.source}</small> : null}
          </dd>
        </div>
      </dl>
      {!counts && <p class="remark">{say("doesNotCount")}</p>}
      <ul class="warnings">
        {warnings.map((text) => (
          <li key={text}>
            <Notice text={text} />
          </li>
        ))}
      </ul>
    </>
  );
}
