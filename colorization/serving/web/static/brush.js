"use strict";

// A person paints over what shall stay gray.

// Width of a stroke, as a share of the photo's short side.
const STROKE = 0.06;

class Brush {
  /**
   * @param {Element} card The photo's card.
   * @param {function} onChange Called after each stroke.
   */
  constructor(card, onChange) {
    this.onChange = onChange;
    this.strokes = [];
    const part = (name) => card.querySelector(`.${name}`);
    this.parts = Object.fromEntries(["stage", "brush", "brushing", "keep-gray", "clear", "end"]
      .map((name) => [name, part(name)]));
    this.listen();
  }

  listen() {
    const { parts } = this;
    parts["keep-gray"].addEventListener("click", () => this.open(parts.brushing.hidden));
    parts.end.addEventListener("click", () => {
      this.open(false);
      parts["keep-gray"].focus({ preventScroll: true });
    });
    parts.clear.addEventListener("click", () => {
      if (!this.strokes.length) return;
      this.strokes = [];
      this.draw();
      this.onChange();
    });
    parts.brush.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      parts.brush.setPointerCapture(event.pointerId);
      this.strokes.push([this.place(event)]);
      this.draw();
      event.stopPropagation();
    });
    parts.brush.addEventListener("pointermove", (event) => {
      if (!parts.brush.hasPointerCapture(event.pointerId)) return;
      this.strokes.at(-1).push(this.place(event));
      this.draw();
    });
    parts.brush.addEventListener("lostpointercapture", () => this.onChange());
  }

  open(isOpen) {
    const { parts } = this;
    parts.brushing.hidden = !isOpen;
    parts.stage.classList.toggle("is-brushing", isOpen);
    parts["keep-gray"].setAttribute("aria-expanded", isOpen);
    if (isOpen) this.draw();
  }

  place(event) {
    const box = this.parts.brush.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  draw() {
    const { brush, stage } = this.parts;
    const image = stage.querySelector(".before");
    brush.width = image.naturalWidth;
    brush.height = image.naturalHeight;
    const context = brush.getContext("2d");
    context.lineWidth = STROKE * Math.min(brush.width, brush.height);
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      const places = stroke.map(([x, y]) => [x * brush.width, y * brush.height]);
      context.beginPath();
      context.moveTo(...places[0]);
      for (const place of places) context.lineTo(...place);
      context.stroke();
    }
  }

  /** A picture that is black where strokes are and else white; null without strokes. */
  async mask() {
    if (!this.strokes.length) return null;
    const canvas = document.createElement("canvas");
    const { brush } = this.parts;
    canvas.width = brush.width;
    canvas.height = brush.height;
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(brush, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
}
