// Runs each request of a file (one JSON object per line) on the compiled model, and
// prints what came of each as one line: node test.mjs MODULE REQUESTS

import { readFileSync } from "node:fs";
import { load } from "./glassbox.mjs";

const [, , module, requests] = process.argv;
const glassbox = await load(readFileSync(module));
let disk;
for (const line of readFileSync(requests, "utf8").split("\n").filter(Boolean)) {
  const { goes_on, ...request } = JSON.parse(line);
  if (goes_on) request.disk = disk;
  let told;
  try {
    const played = glassbox.run(request);
    disk = played.disk;
    told = { status: played.status, recording: played.recording, output: played.output };
  } catch (error) {
    told = { error: error.message, hint: error.hint };
  }
  console.log(JSON.stringify(told));
}
