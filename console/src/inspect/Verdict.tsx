import { useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import type { Detection } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { say } from "../words";
import { Compare } from "./Compare";
import type { Box } from "./Crop";
import { Force } from "./Force";
import type { Item } from "./item";
import type { Point, Size } from "./look";
import { Picture } from "./Picture";
import { Regions } from "./Regions";
import { RunnersUp } from "./RunnersUp";
import { Said } from "./Said";
import { Sensitivity } from "./Sensitivity";
import { Timings } from "./Timings";
import { useShown } from "./useShown";

/** One picture with all that the service said of it. */
export function Verdict({ item }: { item: Item }) {
  const { queue } = useSession();
  const [mapSize, setMapSize] = useState<Size | null>(null);
  const [row, setRow] = useState<number | null>(null);
  const [picked, setPicked] = useState<{ point: Point; go: boolean } | null>(null);
  const [patch, setPatch] = useState<Box | null>(null);
  const { detection } = item;
  const shown = useShown(item, mapSize);
  const table = useSensitivity(detection);
  const setting = (row !== null && table.value?.settings[row]) || null;
  const compare = (point: Point, go: boolean) => {
    setPatch(null);
    setPicked({ point, go });
  };
  const judge = (name: string) => queue.again([item.id], name);
  return (
    <article class="verdict">
      <Picture
        {...{ item, shown, maps: queue.maps }}
        patch={detection ? patch : null}
        threshold={setting?.pixel_threshold ?? detection?.pixel_threshold ?? null}
        trial={setting !== null}
        target={picked?.go ? picked.point : null}
        onPick={(point) => compare(point, false)}
        onMapSize={setMapSize}
      >
        {table.failure && <Failure failure={table.failure} again={table.again} />}
        {table.value && <Sensitivity table={table.value} row={row} onChange={setRow} />}
      </Picture>
      <div class="told">
        <Said item={item} setting={setting} />
        {detection && <Regions detection={detection} onPick={(point) => compare(point, true)} />}
        {detection && <h3>{say("nearestPatch")}</h3>}
        {detection && !detection.class_name && <p class="remark">{say("nothingToCompare")}</p>}
        {detection?.class_name && !picked && <p class="remark">{say("clickToCompare")}</p>}
        {detection?.class_name && picked && (
          <Compare
            item={item}
            className={detection.class_name}
            point={picked.point}
            image={shown.image}
            width={shown.size?.[0] ?? 1}
            file={shown.image && !shown.instead ? item.file : undefined}
            onPatch={setPatch}
          />
        )}
        {detection && <RunnersUp detection={detection} onForce={judge} />}
        <Force item={item} onForce={judge} />
        {detection && <Timings detection={detection} />}
      </div>
    </article>
  );
}

/** The class's thresholds by false alarms, of the version that judged; none where there is no score. */
function useSensitivity(detection: Detection | undefined) {
  const { service } = useSession();
  const name = detection?.anomaly_score == null ? null : detection.class_name;
  const version = detection?.bank_version ?? null;
  return useLoaded(
    async (signal) =>
      name === null
        ? undefined
        : service.ask(
            service.api.GET("/classes/{class_name}/sensitivity", {
              params: { path: { class_name: name }, query: { version } },
              signal,
            }),
          ),
    [name, version],
  );
}
