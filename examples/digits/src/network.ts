import { CLASSES, imageOf, PIXELS, SIDE, type Digits } from "./digits.ts";
import { shuffled, type Random } from "./random.ts";

/** What to train and how. Without hidden layers it is softmax regression. */
export interface Candidate {
  readonly name: string;
  /** Units of each hidden layer. */
  readonly hidden: readonly number[];
  readonly rate: number;
  /** By how many pixels at most an image is moved before it is learnt from. */
  readonly shift: number;
}

/** Fully connected layers with ReLU between them; weights lie input by input, so that blank pixels cost nothing. */
export interface Network {
  readonly sizes: readonly number[];
  readonly weights: readonly Float32Array[];
  readonly biases: readonly Float32Array[];
}

const BATCH = 64;
const MOMENTUM = 0.9;
const TINY = 1e-30;

/** A new network with random weights, scaled after He et al. 2015. */
export function createNetwork(hidden: readonly number[], random: Random): Network {
  const sizes = [PIXELS, ...hidden, CLASSES];
  const layers = sizes.slice(1).map((outputs, layer) => ({ inputs: sizes[layer] ?? 0, outputs }));
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return {
    sizes,
    weights: layers.map(({ inputs, outputs }) => Float32Array.from({ length: inputs * outputs }, () => normal() * Math.sqrt(2 / inputs))),
    biases: layers.map(({ outputs }) => new Float32Array(outputs)),
  };
}

/** How many numbers a network consists of. */
export function parametersOf({ weights, biases }: Network): number {
  return [...weights, ...biases].reduce((sum, { length }) => sum + length, 0);
}

/** What each digit's probability is for an image. */
export function classify(network: Network, image: Uint8Array): Float32Array {
  const values = activations(network);
  forward(network, brightness(image, 0), values);
  return at(values, values.length - 1).slice();
}

/** The most probable digit. */
export function bestOf(probabilities: Float32Array): number {
  return probabilities.indexOf(Math.max(...probabilities));
}

/** The share of images that are classified as labelled. */
export function accuracyOf(network: Network, digits: Digits): number {
  let right = 0;
  digits.labels.forEach((label, index) => {
    if (bestOf(classify(network, imageOf(digits, index))) === label) right++;
  });
  return right / digits.labels.length;
}

/** Learns by mini-batch gradient descent with momentum; the rate falls to nothing along a cosine. Yields each epoch's mean loss. */
export function* train(
  network: Network,
  digits: Digits,
  { epochs, rate, shift, random }: Pick<Candidate, "rate" | "shift"> & { epochs: number; random: Random },
): Generator<number> {
  const like = (arrays: readonly Float32Array[]): Float32Array[] => arrays.map(({ length }) => new Float32Array(length));
  const gradients = { weights: like(network.weights), biases: like(network.biases) };
  const speeds = { weights: like(network.weights), biases: like(network.biases) };
  const values = activations(network);
  const errors = activations(network);
  const count = digits.labels.length;
  const steps = epochs * Math.ceil(count / BATCH);
  const move = (): number => Math.floor(random() * (2 * shift + 1)) - shift;
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffled(count, random);
    let loss = 0;
    for (let start = 0; start < count; start += BATCH) {
      const batch = order.subarray(start, start + BATCH);
      for (const index of batch) {
        const lit = brightness(imageOf(digits, index), move() * SIDE + move());
        const label = digits.labels[index] ?? 0;
        forward(network, lit, values);
        loss -= Math.log(Math.max(values.at(-1)?.[label] ?? 0, 1e-9));
        backward(network, lit, { label, values, errors, gradients });
      }
      const now = (rate * (1 + Math.cos((Math.PI * step++) / steps))) / 2 / batch.length;
      for (const part of ["weights", "biases"] as const)
        network[part].forEach((array, layer) => descend(array, at(gradients[part], layer), at(speeds[part], layer), now));
    }
    yield loss / count;
  }
}

/** The pixels that are not blank, and how dark they are, 0 to 1. */
interface Lit {
  readonly places: Uint16Array;
  readonly values: Float32Array;
}

/** Moved by `offset` places: digits have a margin of four blank pixels, so none leaves its row. */
function brightness(image: Uint8Array, offset: number): Lit {
  const places = new Uint16Array(PIXELS);
  const values = new Float32Array(PIXELS);
  let count = 0;
  for (let place = 0; place < PIXELS; place++) {
    const ink = image[place] ?? 0;
    const to = place + offset;
    if (ink === 0 || to < 0 || to >= PIXELS) continue;
    places[count] = to;
    values[count++] = ink / 255;
  }
  return { places: places.subarray(0, count), values: values.subarray(0, count) };
}

function at(layers: readonly Float32Array[], layer: number): Float32Array {
  const found = layers[layer];
  if (found === undefined) throw new Error(`there is no layer ${layer}`);
  return found;
}

function activations({ sizes }: Network): Float32Array[] {
  return sizes.slice(1).map((size) => new Float32Array(size));
}

function forward({ weights, biases }: Network, lit: Lit, values: readonly Float32Array[]): void {
  values.forEach((output, layer) => {
    const weight = at(weights, layer);
    const width = output.length;
    output.set(biases[layer] ?? []);
    const input = layer === 0 ? lit.values : at(values, layer - 1);
    for (let i = 0; i < input.length; i++) {
      const value = input[i] ?? 0;
      if (value === 0) continue;
      const row = (layer === 0 ? (lit.places[i] ?? 0) : i) * width;
      for (let j = 0; j < width; j++) output[j] = (output[j] ?? 0) + value * (weight[row + j] ?? 0);
    }
    if (layer < values.length - 1) for (let j = 0; j < width; j++) output[j] = Math.max(0, output[j] ?? 0);
  });
  const last = at(values, values.length - 1);
  const top = Math.max(...last);
  let sum = 0;
  for (let j = 0; j < last.length; j++) sum += last[j] = Math.exp((last[j] ?? 0) - top);
  for (let j = 0; j < last.length; j++) last[j] = (last[j] ?? 0) / sum;
}

interface Backward {
  readonly label: number;
  readonly values: readonly Float32Array[];
  readonly errors: readonly Float32Array[];
  readonly gradients: { readonly weights: readonly Float32Array[]; readonly biases: readonly Float32Array[] };
}

/** Adds the gradient of the cross-entropy for one image. */
function backward({ weights }: Network, lit: Lit, { label, values, errors, gradients }: Backward): void {
  for (let layer = values.length - 1; layer >= 0; layer--) {
    const error = at(errors, layer);
    const output = at(values, layer);
    const width = error.length;
    const above = errors[layer + 1];
    if (above === undefined) {
      error.set(output);
      error[label] = (error[label] ?? 0) - 1;
    } else {
      const weight = at(weights, layer + 1);
      for (let j = 0; j < width; j++) {
        let sum = 0;
        if ((output[j] ?? 0) > 0) for (let k = 0, at = j * above.length; k < above.length; k++) sum += (above[k] ?? 0) * (weight[at + k] ?? 0);
        error[j] = sum;
      }
    }
    const gradient = at(gradients.weights, layer);
    const input = layer === 0 ? lit.values : at(values, layer - 1);
    for (let i = 0; i < input.length; i++) {
      const value = input[i] ?? 0;
      if (value === 0) continue;
      const row = (layer === 0 ? (lit.places[i] ?? 0) : i) * width;
      for (let j = 0; j < width; j++) gradient[row + j] = (gradient[row + j] ?? 0) + value * (error[j] ?? 0);
    }
    const bias = at(gradients.biases, layer);
    for (let j = 0; j < width; j++) bias[j] = (bias[j] ?? 0) + (error[j] ?? 0);
  }
}

/** One step against the gradient, which is then forgotten. */
function descend(array: Float32Array, gradient: Float32Array, speed: Float32Array, rate: number): void {
  for (let i = 0; i < array.length; i++) {
    const next = MOMENTUM * (speed[i] ?? 0) - rate * (gradient[i] ?? 0);
    // Speeds that fade below what normal numbers hold would make every further step many times slower.
    speed[i] = next > TINY || next < -TINY ? next : 0;
    array[i] = (array[i] ?? 0) + next;
    gradient[i] = 0;
  }
}

/** A network as JSON: sizes, and each layer's numbers as base64 of little-endian floats. */
export function encodeNetwork({ sizes, weights, biases }: Network): string {
  const text = (array: Float32Array): string => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
  return JSON.stringify({ sizes, weights: weights.map(text), biases: biases.map(text) });
}

/** Reads what `encodeNetwork` wrote. */
export function decodeNetwork(json: string): Network {
  const { sizes, weights, biases } = JSON.parse(json) as { sizes: number[]; weights: string[]; biases: string[] };
  const array = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
  return { sizes, weights: weights.map(array), biases: biases.map(array) };
}
