"use strict";

// A small photo is enlarged up to so many times.
const LARGEST_SCALE = 3;
// A second click or key press that was meant for the pair before comes sooner than this.
const SETTLE_MILLISECONDS = 250;
const WAIT_MILLISECONDS = 20000;
const TEXTS = {
  preference: {
    prompt: "Which coloring looks better?",
    about:
      "You will see the same photograph twice, colored in two ways. Choose the one that looks " +
      "better to you: the more natural, the more pleasing. There is no right or wrong.",
  },
  truth: {
    prompt: "Which is the real photo?",
    about:
      "One of the two pictures is the original color photograph; the colors of the other were " +
      "made up by a computer. Choose the one that you take for the original.",
  },
};
const ABOUT_STUDY = " Your answers are kept under a random text, with nothing about you.";

const $ = (id) => document.getElementById(id);
const sides = { left: $("left"), right: $("right") };
let standing = null;
let introduced = new Set();
// What "Try again" does.
let retry = null;

// What the server or this page says of a failure; others are the network's.
class Refusal extends Error {}

function show(section) {
  for (const name of ["intro", "pair", "done", "problem"]) $(name).hidden = name !== section;
  $("progress").hidden = section !== "pair";
  $("undo").hidden = section === "intro" || section === "problem" || !standing.last;
  document.body.dataset.state = section;
}

function setOpen(open) {
  for (const button of document.querySelectorAll("#pair button")) button.disabled = !open;
  if (open) document.body.dataset.state = "open";
}

async function ask(path, body) {
  const options = { signal: AbortSignal.timeout(WAIT_MILLISECONDS) };
  if (body) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.error);
  return answer;
}

async function attempt(path, body) {
  setOpen(false);
  document.body.dataset.state = "busy";
  try {
    standing = await ask(path, body);
    await present();
  } catch (error) {
    const isKnown = error instanceof Refusal;
    $("reason").textContent = isKnown ? error.message : "The server does not answer.";
    $("prompt").textContent = "Something went wrong";
    // A vote that was stored already is not stored again.
    retry = () => attempt(path, body);
    show("problem");
    $("again").focus();
  }
}

async function present() {
  const { question, answered, total } = standing;
  for (const side of Object.values(sides)) side.classList.remove("chosen");
  if (!question) {
    $("prompt").textContent = "Thank you!";
    $("thanks").textContent =
      answered === 1 ? "Your answer is stored." : `All ${answered} answers are stored.`;
    show("done");
    $("prompt").focus();
    return;
  }
  const text = TEXTS[question.kind];
  // Whoever comes back in the middle of a part knows it.
  const isNew = question.kind === "truth" ? !introduced.has("truth") : answered === 0;
  if (isNew && !introduced.has(question.kind)) {
    $("prompt").textContent = text.prompt;
    const start = answered ? "Now another question. " : "";
    $("about").textContent = start + text.about + (answered ? "" : ABOUT_STUDY);
    $("start").textContent = answered ? "Go on" : "Start";
    show("intro");
    $("start").focus();
    return;
  }
  await load(question);
  introduced.add(question.kind);
  $("prompt").textContent = text.prompt;
  $("count").textContent = `${answered + 1} of ${total}`;
  $("bar").max = total;
  $("bar").value = answered;
  show("pair");
  fit();
  $("prompt").focus();
  $("spoken").textContent = `${text.prompt} ${answered + 1} of ${total}`;
  setTimeout(() => setOpen(standing.question === question), SETTLE_MILLISECONDS);
}

// The pair before stays until both pictures are there, so that neither shows up first.
async function load(question) {
  const loaded = ["left", "right"].map(async (side) => {
    const image = new Image();
    image.src = question[side];
    try {
      await image.decode();
    } catch {
      throw new Refusal("A picture could not be loaded.");
    }
    image.alt = side === "left" ? "Picture A" : "Picture B";
    image.draggable = false;
    return [side, image];
  });
  for (const [side, image] of await Promise.all(loaded)) {
    sides[side].querySelector("img").replaceWith(image);
  }
}

// Beside or above each other, whichever shows the pictures larger; both at one size.
function fit() {
  const stage = $("stage");
  const { naturalWidth: width, naturalHeight: height } = sides.left.querySelector("img");
  if (!width || $("pair").hidden) return;
  const gap = parseFloat(getComputedStyle(stage).columnGap);
  const { clientWidth, clientHeight } = stage;
  const scaleIn = (boxWidth, boxHeight) =>
    Math.min(boxWidth / width, boxHeight / height, LARGEST_SCALE);
  const beside = scaleIn((clientWidth - gap) / 2, clientHeight);
  const above = scaleIn(clientWidth, (clientHeight - gap) / 2);
  stage.classList.toggle("stacked", above > beside);
  const scale = Math.max(beside, above);
  for (const side of Object.values(sides)) {
    const image = side.querySelector("img");
    image.style.width = `${Math.floor(width * scale)}px`;
    image.style.height = `${Math.floor(height * scale)}px`;
  }
}

function vote(choice) {
  if (document.body.dataset.state !== "open") return;
  if (choice in sides) sides[choice].classList.add("chosen");
  attempt("/api/vote", { question: standing.question.id, choice });
}

function undo() {
  if ($("undo").hidden || document.body.dataset.state === "busy") return;
  attempt("/api/undo", { question: standing.last });
}

function onClick(id, act) {
  $(id).addEventListener("click", (event) => {
    // The second click of a double click.
    if (event.detail < 2) act();
  });
}

onClick("left", () => vote("left"));
onClick("right", () => vote("right"));
onClick("choose-left", () => vote("left"));
onClick("choose-right", () => vote("right"));
onClick("tie", () => vote("tie"));
onClick("undo", undo);
onClick("again", () => retry());
onClick("start", () => {
  introduced.add(standing.question.kind);
  attempt("/api/standing");
});
onClick("leave", () => {
  introduced = new Set();
  attempt("/api/leave", {});
});

const KEYS = {
  ArrowLeft: () => vote("left"),
  ArrowUp: () => vote("left"),
  ArrowRight: () => vote("right"),
  ArrowDown: () => vote("right"),
  " ": () => vote("tie"),
  Backspace: undo,
};

document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
  // On a button that has the focus, space is a click.
  if (event.key === " " && event.target.closest("button")) return;
  event.preventDefault();
  // A key that is held down is one vote.
  if (!event.repeat) act();
});
new ResizeObserver(fit).observe($("stage"));
attempt("/api/standing");
