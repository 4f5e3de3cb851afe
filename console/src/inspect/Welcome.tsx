import { Link } from "wouter-preact";
import { useSession } from "../api/session";
import { say } from "../words";

/** What to do first. */
export function Welcome() {
  const { classes } = useSession();
  if (classes.length === 0)
    return (
      <section class="welcome">
        <h2>{say("welcomeFirst")}</h2>
        <p>{say("welcomeTeach")}</p>
        <Link href="/teach" class="button">
          {say("goTeach")}
        </Link>
      </section>
    );
  return (
    <section class="welcome">
      <h2>{say("welcomeReady")}</h2>
      <ol class="steps">
        <li>{say("welcomeDrop")}</li>
        <li>{say("welcomeSee")}</li>
        <li>{say("welcomeAsk")}</li>
      </ol>
      <p class="remark">
        {say("welcomeKnown", { classes: classes.map(({ class_name }) => class_name).join(", ") })}
      </p>
    </section>
  );
}
