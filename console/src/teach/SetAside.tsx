import { useState } from "preact/hooks";
import { Reason } from "../parts/Notice";
import { Stored } from "../parts/Stored";
import { say } from "../words";
import { FilePicture } from "./FilePicture";
import { sentPictures } from "./pictures";
import type { Told } from "./taught";

/** So many are shown at first, and more on demand: each picture is asked for. */
const PAGE = 100;

interface Given {
  title: string;
  explained?: string;
  told: readonly Told[];
  /** Under which name this page holds the pictures. */
  sentAs: string;
}

/** Pictures that were not taken, or are doubted: each with the reason. */
export function SetAside({ title, explained, told, sentAs }: Given) {
  const [most, setMost] = useState(PAGE);
  const gone = told.some(({ path, kept }) => !sentPictures.of(sentAs, path) && !kept);
  return (
    <section class="sheet">
      <h2>{`${title}: ${told.length}`}</h2>
      {explained && <p class="soft">{explained}</p>}
      {gone && <p class="soft">{say("picturesGone")}</p>}
      <ul class="aside">
        {told.slice(0, most).map(({ path, image_id, kept, message, reason }) => {
          const file = sentPictures.of(sentAs, path);
          return (
            <li key={path} class={file || kept ? "" : "bare"}>
              {file && <FilePicture file={file} name={path} />}
              {!file && kept && (
                <Stored name="thumbnail" path={`/jobs/${sentAs}/set-aside/${image_id}`} alt={path} />
              )}
              <span>
                <strong class="name">{path}</strong>
                <br />
                {reason ? <Reason code={reason} message={message} /> : message}
              </span>
            </li>
          );
        })}
      </ul>
      {told.length > most && (
        <button type="button" class="button plain" onClick={() => setMost(most + PAGE)}>
          {say("showMore", { count: told.length - most })}
        </button>
      )}
    </section>
  );
}
