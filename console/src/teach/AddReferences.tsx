import { useCallback, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import type { Job } from "../api/job";
import type { Schema } from "../api/service";
import { Intake } from "../parts/Intake";
import { figure, say } from "../words";
import type { Change } from "./Changed";
import { ChosenPictures } from "./ChosenPictures";
import { LeftOut } from "./LeftOut";
import { formOf, Options, USUAL } from "./Options";
import { joined, type Picture, sentPictures } from "./pictures";
import { Sending, useSending } from "./Sending";
import type { Taught } from "./taught";

/** So many are added before the answer; more of them as a job. */
const FEW = 16;

interface Given {
  className: string;
  version: string;
  onChange: (change: Change) => void;
}

/** Adds pictures of good parts to a class. */
export function AddReferences({ className, version, onChange }: Given) {
  const [, go] = useLocation();
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const [options, setOptions] = useState(USUAL);
  const [added, setAdded] = useState<Taught | null>(null);
  const sending = useSending();
  const take = useCallback((files: File[]) => setPictures((before) => joined(before, files)), []);
  const clear = () => setPictures([]);
  const base = `/classes/${encodeURIComponent(className)}`;
  const add = async () => {
    const form = formOf(pictures, options, true);
    if (pictures.length > FEW) {
      const job = await sending.send<Job>(base, form);
      if (!job) return;
      sentPictures.put(job.id, pictures);
      return go(`/teach/job/${job.id}`);
    }
    form.delete("extend");
    const told = await sending.send<Schema["Added"]>(`${base}/references`, form);
    if (!told) return;
    sentPictures.put(told.version, pictures);
    setAdded(told as unknown as Taught);
    clear();
    const text = say("wereAdded", { count: told.added, score: figure(told.threshold) });
    onChange({ text, before: version, remarks: told.remarks, job: told.job });
  };
  return (
    <>
      <section class="sheet">
        <h2>{say("addReferences")}</h2>
        <p class="soft">{say("addSays", { count: FEW })}</p>
        <Intake onFiles={take} />
        <ChosenPictures
          pictures={pictures}
          onRemove={(picture) => setPictures((before) => before.filter((other) => other !== picture))}
          onClear={clear}
        />
        {pictures.length > 0 && (
          <>
            <Options options={options} onChange={setOptions} adds />
            <Sending sending={sending} />
            <button type="button" class="button" disabled={sending.share !== null} onClick={add}>
              {sending.share === 1 ? say("beingAdded") : say("addPictures")}
            </button>
          </>
        )}
      </section>
      {added && <LeftOut taught={added} sentAs={added.version} />}
    </>
  );
}
