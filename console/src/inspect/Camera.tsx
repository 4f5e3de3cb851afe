import { useEffect, useRef, useState } from "preact/hooks";
import { Window } from "../parts/Window";
import { say } from "../words";

interface Given {
  onPicture: (file: File) => void;
  onClose: () => void;
}

/** A camera of this device, from which pictures are taken one after another. */
export function Camera({ onPicture, onClose }: Given) {
  const video = useRef<HTMLVideoElement>(null);
  const [cameras, setCameras] = useState<readonly MediaDeviceInfo[]>([]);
  const [chosen, setChosen] = useState("");
  const [failure, setFailure] = useState("");
  const [taken, setTaken] = useState(0);
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let stream: MediaStream | null = null;
    let wanted = true;
    const end = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    const start = async () => {
      setReady(false);
      setFailure("");
      const which = chosen ? { deviceId: { exact: chosen } } : { facingMode: "environment" };
      const best = { width: { ideal: 4096 }, height: { ideal: 4096 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: { ...which, ...best } });
      if (!wanted || !video.current) return end();
      video.current.srcObject = stream;
      await video.current.play();
      setReady(true);
      const devices = await navigator.mediaDevices.enumerateDevices();
      setCameras(devices.filter(({ kind }) => kind === "videoinput"));
    };
    start().catch((error: DOMException) => wanted && setFailure(`${error.message} (${error.name})`));
    return () => {
      wanted = false;
      end();
    };
  }, [chosen]);
  const take = async () => {
    const file = video.current && (await pictureOf(video.current));
    if (!file) return;
    onPicture(file);
    setTaken((count) => count + 1);
  };
  return (
    <Window title={say("camera")} onClose={onClose}>
      {failure && <p role="alert">{say("noCamera", { failure })}</p>}
      {cameras.length > 1 && (
        <label class="field">
          {say("camera")}
          <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
            {cameras.map(({ deviceId, label }) => (
              <option key={deviceId} value={deviceId}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
      <video ref={video} class="camera" muted playsInline />
      <div class="row">
        <button type="button" class="button" disabled={!ready} onClick={() => void take()}>
          {say("takePicture")}
        </button>
        <p role="status">{taken > 0 && say("taken", { count: taken })}</p>
      </div>
    </Window>
  );
}

/** What the camera shows, without loss. */
async function pictureOf(video: HTMLVideoElement): Promise<File | null> {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const png = await new Promise<Blob | null>((give) => canvas.toBlob(give, "image/png"));
  const time = new Date().toISOString().slice(0, 23).replace(/[:.]/g, "-");
  return png && new File([png], `camera-${time}.png`, { type: "image/png" });
}
