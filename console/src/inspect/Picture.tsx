import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { percent, say } from "../words";
import type { Box } from "./Crop";
import { Heat } from "./Heat";
import type { Item } from "./item";
import type { Point, Size } from "./look";
import type { Maps } from "./maps";
import { cutAt } from "./trial";
import type { Shown } from "./useShown";
import { Viewer } from "./Viewer";

interface Given {
  item: Item;
  shown: Shown;
  maps: Maps;
  /** Where the map is cut; another one than the service's is a trial. */
  threshold: number | null;
  trial: boolean;
  /** A point to bring to the middle. */
  target: Point | null;
  /** The patch that is compared. */
  patch: Box | null;
  onPick: (point: Point) => void;
  onMapSize: (size: Size) => void;
  /** Further controls, below the picture. */
  children: ComponentChildren;
}

/** The picture with its anomaly map over it. */
export function Picture(given: Given) {
  const { item, shown, maps, threshold, trial, target, patch, onPick, onMapSize, children } = given;
  const [opacity, setOpacity] = useState(0.7);
  const [onlyAbove, setOnlyAbove] = useState(false);
  const [share, setShare] = useState<number | null>(null);
  const [failure, setFailure] = useState("");
  const { detection, map } = item;
  const size = shown.size ?? [1, 1];
  const painted = (of: Size, anomalous: number) => {
    onMapSize(of);
    setShare(anomalous);
  };
  const cut = detection && threshold !== null ? cutAt(detection, threshold) : null;
  if (!map && shown.instead === "nothing") return <p class="remark seen">{say("cannotShow")}</p>;
  return (
    <div class="seen">
      <Viewer size={size} label={say("pictureOf", { name: item.file.name })} target={target} onPick={onPick}>
        {shown.image && <img src={shown.image.src} alt="" draggable={false} />}
        {map && cut !== null && (
          <Heat
            {...{ maps, map, cut, onlyAbove, opacity }}
            name={`${item.id} ${detection?.detection_id} ${detection?.class_name}`}
            onPainted={painted}
            onFailure={setFailure}
          />
        )}
        <svg viewBox={`0 0 ${size[0]} ${size[1]}`} aria-hidden="true">
          {!trial &&
            detection?.regions.map(({ box }) => (
              <Mark key={box.join()} box={box as unknown as Box} kind="region" />
            ))}
          {patch && <Mark box={patch} kind="patch" />}
        </svg>
      </Viewer>
      {shown.instead === "copy" && <p class="remark">{say("copyShown")}</p>}
      {shown.instead === "nothing" && <p class="remark">{say("mapAlone")}</p>}
      {failure && <p class="remark">{say("mapFailed", { failure })}</p>}
      {map && (
        <div class="layers">
          <label class="slider">
            <span class="what">
              {say("heatOpacity")} <strong>{percent(opacity)}</strong>
            </span>
            <input
              type="range"
              min={0}
              max={100}
              value={Math.round(100 * opacity)}
              aria-valuetext={percent(opacity)}
              onInput={(event) => setOpacity(Number(event.currentTarget.value) / 100)}
            />
          </label>
          <label class="choice">
            <input
              type="checkbox"
              checked={onlyAbove}
              onChange={(event) => setOnlyAbove(event.currentTarget.checked)}
            />
            {say("onlyAbove")}
          </label>
          {share !== null && <p class="remark">{say("shareAbove", { share: percent(share) })}</p>}
        </div>
      )}
      {children}
    </div>
  );
}

function Mark({ box: [left, top, right, bottom], kind }: { box: Box; kind: string }) {
  return <rect class={kind} x={left} y={top} width={right - left} height={bottom - top} />;
}
