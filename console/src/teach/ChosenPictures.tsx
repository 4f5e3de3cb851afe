import { useState } from "preact/hooks";
import { figure, say } from "../words";
import { FilePicture } from "./FilePicture";
import { megabytes, type Picture } from "./pictures";

/** So many are shown at first, and more on demand: hundreds of camera pictures take a browser's memory. */
const PAGE = 48;

interface Given {
  pictures: readonly Picture[];
  onRemove: (picture: Picture) => void;
  onClear: () => void;
}

/** The pictures that will be sent, each of which can be taken out. */
export function ChosenPictures({ pictures, onRemove, onClear }: Given) {
  const [most, setMost] = useState(PAGE);
  if (pictures.length === 0) return null;
  return (
    <>
      <p class="progress" role="status">
        {say("chosen", { count: pictures.length, size: figure(megabytes(pictures), 3) })}
        <button type="button" class="button plain" onClick={onClear}>
          {say("removeAll")}
        </button>
      </p>
      <ul class="thumbnails">
        {pictures.slice(0, most).map((picture) => (
          <li key={picture.name}>
            <FilePicture file={picture.file} name={picture.name} />
            <span class="foot">
              <span class="name" title={picture.name}>
                {picture.name}
              </span>
              <button
                type="button"
                class="button plain small"
                aria-label={say("takeOut", { name: picture.name })}
                onClick={() => onRemove(picture)}
              >
                ✕
              </button>
            </span>
          </li>
        ))}
      </ul>
      {pictures.length > most && (
        <button type="button" class="button plain" onClick={() => setMost(most + 4 * PAGE)}>
          {say("showMore", { count: pictures.length - most })}
        </button>
      )}
    </>
  );
}
