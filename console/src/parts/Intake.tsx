import { useEffect, useState } from "preact/hooks";
import { say } from "../words";

function picturesOf(list: FileList | null | undefined): File[] {
  return list ? [...list] : [];
}

/** Takes pictures: dropped anywhere on the page, pasted, chosen or photographed. */
export function Intake({ onFiles }: { onFiles: (files: File[]) => void }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const drag = (event: DragEvent) => {
      event.preventDefault();
      setOver(event.type === "dragover");
    };
    const drop = (event: DragEvent) => {
      drag(event);
      onFiles(picturesOf(event.dataTransfer?.files));
    };
    const paste = (event: ClipboardEvent) => onFiles(picturesOf(event.clipboardData?.files));
    addEventListener("dragover", drag);
    addEventListener("dragleave", drag);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      removeEventListener("dragover", drag);
      removeEventListener("dragleave", drag);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  }, [onFiles]);
  const taken = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    onFiles(picturesOf(input.files));
    input.value = "";
  };
  return (
    <section class={`intake ${over ? "over" : ""}`}>
      <p>{say("drop")}</p>
      <label class="button">
        {say("choose")}
        <input type="file" multiple onChange={taken} />
      </label>
      <label class="button plain touch">
        {say("photograph")}
        <input type="file" accept="image/*" capture="environment" onChange={taken} />
      </label>
    </section>
  );
}
