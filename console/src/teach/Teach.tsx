import { Route, Switch } from "wouter-preact";
import { say } from "../words";
import { ClassPage } from "./ClassPage";
import { JobPage } from "./JobPage";
import { Jobs } from "./Jobs";
import "./teach.css";
import { TaughtClasses } from "./TaughtClasses";
import { Wizard } from "./Wizard";

/** Teaches classes, and tends their references. */
export function Teach() {
  return (
    <main class="teach">
      <Switch>
        <Route path="/teach/job/:id">{({ id }) => <JobPage key={id} id={id} />}</Route>
        <Route path="/teach/class/:name">{({ name }) => <ClassPage key={name} name={name} />}</Route>
        <Route>
          <h1>{say("teach")}</h1>
          <p class="lead">{say("teachLead")}</p>
          <div class="withaside">
            <Wizard />
            <aside>
              <Jobs />
              <TaughtClasses />
            </aside>
          </div>
        </Route>
      </Switch>
    </main>
  );
}
