import { useCallback, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import type { Job } from "../api/job";
import { useLoaded, usePicture } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Intake } from "../parts/Intake";
import { percent, say } from "../words";
import { ChosenPictures } from "./ChosenPictures";
import { joined, type Picture, sentPictures } from "./pictures";
import { thumbnailOf } from "./References";
import { RegionCard } from "./RegionCard";
import { Sending, useSending } from "./Sending";
import { type Drawing, maskOf } from "./shapes";

interface Given {
  className: string;
  version: string;
  /** Share of the picture that is inspected now, in percent. */
  inspected: number;
}

/** Another region of interest for a class that is there: it is taught anew from its references. */
export function NewRegion({ className, version, inspected }: Given) {
  const { service } = useSession();
  const [, go] = useLocation();
  const [drawing, setDrawing] = useState<Drawing | null>(null);
  const [whole, setWhole] = useState(false);
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const sending = useSending();
  const take = useCallback((files: File[]) => setPictures((before) => joined(before, files)), []);
  const { value, failure } = useLoaded(
    (signal) => {
      const params = { path: { class_name: className }, query: { limit: 1 } };
      return service.ask(service.api.GET("/classes/{class_name}/references", { params, signal }));
    },
    [service, className, version],
  );
  const first = value?.references[0];
  const { url } = usePicture(first ? thumbnailOf(className, first.image_id, version) : null);
  const rebuild = async () => {
    const asked = drawing ?? { shapes: [], size: [64, 64] as const };
    const size = first ? ([first.width, first.height] as const) : asked.size;
    const form = new FormData();
    form.set("mask", await maskOf({ ...asked, size }), "mask.png");
    for (const { file, name } of pictures) form.append("files", file, name);
    const job = await sending.send<Job>(`/classes/${encodeURIComponent(className)}/rebuild`, form);
    if (!job) return;
    sentPictures.put(job.id, pictures);
    go(`/teach/job/${job.id}`);
  };
  return (
    <section class="sheet">
      <h2>{say("stepRegion")}</h2>
      <p class="soft">{say("inspectedNow", { share: percent(inspected / 100, 3) })}</p>
      {failure && <Failure failure={failure} />}
      <RegionCard src={url} drawing={drawing} onChange={setDrawing} />
      {!drawing && inspected < 100 && (
        <label class="choice">
          <input
            type="checkbox"
            checked={whole}
            onChange={({ currentTarget }) => setWhole(currentTarget.checked)}
          />
          {say("inspectWhole")}
        </label>
      )}
      {(drawing || whole) && (
        <>
          <p class="soft">{say("rebuildSays")}</p>
          <ClassPictures pictures={pictures} onTake={take} onChange={setPictures} />
          <Sending sending={sending} />
          <button type="button" class="button" disabled={sending.share !== null} onClick={rebuild}>
            {say("rebuildNow")}
          </button>
        </>
      )}
    </section>
  );
}

interface Chosen {
  pictures: readonly Picture[];
  onTake: (files: File[]) => void;
  onChange: (pictures: readonly Picture[]) => void;
}

/** Pictures of the references, where the service did not keep them. */
function ClassPictures({ pictures, onTake, onChange }: Chosen) {
  return (
    <details>
      <summary>{say("rebuildPictures")}</summary>
      <Intake onFiles={onTake} />
      <ChosenPictures
        pictures={pictures}
        onRemove={(picture) => onChange(pictures.filter((other) => other !== picture))}
        onClear={() => onChange([])}
      />
    </details>
  );
}
