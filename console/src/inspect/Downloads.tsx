import { useRef, useState } from "preact/hooks";
import { saveFile } from "../parts/saveFile";
import { say } from "../words";
import { archive } from "./archive";
import type { Item } from "./item";
import { tableOf } from "./table";

/** What was said of many pictures, as files: a table, and an archive of the pictures with their maps. */
export function Downloads({ items }: { items: readonly Item[] }) {
  const [packed, setPacked] = useState<number | null>(null);
  const [note, setNote] = useState("");
  const stop = useRef<AbortController | null>(null);
  const pack = async () => {
    stop.current = new AbortController();
    setNote("");
    setPacked(0);
    try {
      const made = await archive(items, setPacked, stop.current.signal);
      if (made) saveFile(made.file, "patchbank-results.zip");
      if (made?.missing.length) setNote(say("notInArchive", { names: made.missing.join(", ") }));
    } catch (error) {
      setNote(say("archiveFailed", { failure: (error as Error).message }));
    } finally {
      setPacked(null);
    }
  };
  const save = () => saveFile(new Blob([tableOf(items)], { type: "text/csv" }), "patchbank-results.csv");
  return (
    <>
      <button type="button" class="button plain" onClick={save}>
        {say("saveTable", { count: items.length })}
      </button>
      {packed === null ? (
        <button type="button" class="button plain" onClick={() => void pack()}>
          {say("saveArchive")}
        </button>
      ) : (
        <button type="button" class="button plain" onClick={() => stop.current?.abort()}>
          {say("packing", { done: packed, all: items.length })}
        </button>
      )}
      {note && (
        <p class="remark" role="status">
          {note}
        </p>
      )}
    </>
  );
}
