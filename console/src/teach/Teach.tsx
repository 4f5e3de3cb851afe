import { say } from "../words";

export function Teach() {
  return (
    <main>
      <h1>{say("teach")}</h1>
    </main>
  );
}
