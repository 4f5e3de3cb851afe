import { Stored } from "../parts/Stored";
import { say } from "../words";
import { FilePicture } from "./FilePicture";
import { sentPictures } from "./pictures";
import type { Told } from "./taught";

const MOST = 100;

interface Given {
  title: string;
  explained?: string;
  told: readonly Told[];
  /** Under which name this page holds the pictures. */
  sentAs: string;
  /** The job that keeps pictures of them, if there is one. */
  keptBy?: string | undefined;
}

/** Pictures that were not taken, or are doubted: each with the reason. */
export function SetAside({ title, explained, told, sentAs, keptBy }: Given) {
  const gone = told.some(({ path, image_id }) => !sentPictures.of(sentAs, path) && !(keptBy && image_id));
  return (
    <section class="sheet">
      <h2>{`${title}: ${told.length}`}</h2>
      {explained && <p class="soft">{explained}</p>}
      {gone && <p class="soft">{say("picturesGone")}</p>}
      <ul class="aside">
        {told.slice(0, MOST).map(({ path, image_id, message, reason }) => {
          const file = sentPictures.of(sentAs, path);
          return (
            <li key={path} class={file || (keptBy && image_id) ? "" : "bare"}>
              {file && <FilePicture file={file} name={path} />}
              {!file && keptBy && image_id && (
                <Stored name="thumbnail" path={`/jobs/${keptBy}/set-aside/${image_id}`} alt={path} />
              )}
              <span>
                <strong class="name">{path}</strong>
                <br />
                {reason ? `${message} (${reason})` : message}
              </span>
            </li>
          );
        })}
      </ul>
      {told.length > MOST && <p class="soft">{say("andMore", { count: told.length - MOST })}</p>}
    </section>
  );
}
