// Evaluates policies by iam-simulate. Each line of standard input is a simulation as that package takes it; its line of
// standard output is {"result"}, one of Allowed, ImplicitlyDenied, ExplicitlyDenied, or {"error"}.
"use strict";

const readline = require("node:readline");
const { runSimulation } = require("@cloud-copilot/iam-simulate");

async function answered(line) {
  const outcome = await runSimulation(JSON.parse(line), { simulationMode: "Strict" });
  if (outcome.resultType === "error") return { error: outcome.errors };
  return { result: outcome.overallResult, ignored: outcome.result?.ignoredContextKeys };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answered(line)) + "\n");
  }
}

main();
