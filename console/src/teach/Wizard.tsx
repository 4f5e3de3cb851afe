import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { useSession } from "../api/session";
import { Intake } from "../parts/Intake";
import { useFileUrl } from "../parts/useFileUrl";
import { figure, say } from "../words";
import { ChosenPictures } from "./ChosenPictures";
import { NameField } from "./NameField";
import { wrongWith } from "./names";
import { formOf, Options, USUAL } from "./Options";
import { joined, megabytes, type Picture, sentPictures } from "./pictures";
import { RegionCard } from "./RegionCard";
import { Sending, useSending } from "./Sending";
import { type Drawing, maskOf } from "./shapes";

/** From dropped pictures of good parts to the job that teaches a class. */
export function Wizard() {
  const { classes } = useSession();
  const [, go] = useLocation();
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const [name, setName] = useState("");
  const [extend, setExtend] = useState<boolean | null>(null);
  const [options, setOptions] = useState(USUAL);
  const [drawing, setDrawing] = useState<Drawing | null>(null);
  const sending = useSending();
  const first = useFileUrl(pictures[0]?.file);
  const here = useRef(true);
  useEffect(
    () => () => {
      here.current = false;
    },
    [],
  );
  const take = useCallback((files: File[]) => setPictures((before) => joined(before, files)), []);
  const drop = (picture: Picture) => setPictures((before) => before.filter((other) => other !== picture));
  const known = classes.some(({ class_name }) => class_name === name);
  const adds = known && extend === true;
  const lacks =
    pictures.length === 0
      ? say("lacksPictures")
      : wrongWith(name)
        ? say("lacksName")
        : known && extend === null
          ? say("lacksChoice")
          : "";
  const teach = async (event: Event) => {
    event.preventDefault();
    if (lacks) return;
    const form = formOf(pictures, options, adds);
    if (drawing && !adds) form.set("mask", await maskOf(drawing), "mask.png");
    const job = await sending.send(`/classes/${encodeURIComponent(name)}`, form);
    if (!job) return;
    sentPictures.put(job.id, pictures);
    if (here.current) go(`/teach/job/${job.id}`);
  };
  return (
    <form class="wizard" onSubmit={teach}>
      <section class="sheet">
        <h2>{say("stepPictures")}</h2>
        <p class="soft">{say("stepPicturesSays")}</p>
        <Intake onFiles={take} />
        <ChosenPictures pictures={pictures} onRemove={drop} onClear={() => setPictures([])} />
      </section>
      <section class="sheet">
        <h2>{say("stepName")}</h2>
        <NameField name={name} onName={setName} known={known} extend={extend} onExtend={setExtend} />
      </section>
      <section class="sheet">
        <h2>{say("stepOptions")}</h2>
        <Options options={options} onChange={setOptions} adds={adds} />
      </section>
      {!adds && (
        <section class="sheet">
          <h2>{say("stepRegion")}</h2>
          <p class="soft">{say("stepRegionSays")}</p>
          <RegionCard src={first} drawing={drawing} onChange={setDrawing} />
        </section>
      )}
      <Sending sending={sending} />
      <div class="actions">
        <button type="submit" class="button" disabled={lacks !== "" || sending.share !== null}>
          {adds ? say("addPictures") : say("teachClass")}
        </button>
        <span class="soft" role="status">
          {lacks || say("willSend", { count: pictures.length, size: figure(megabytes(pictures), 3) })}
        </span>
      </div>
    </form>
  );
}
