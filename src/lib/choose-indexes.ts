/**
 * `count` different indexes below `total`, ascending, all if there are no more; each choice is as likely as any other. Takes time with `count`
 * only (Floyd). `random` gives numbers from 0 to below 1, as `Math.random`: what is chosen may be guessed.
 */
export function chooseIndexes(count: number, total: number, random: () => number = Math.random): Uint32Array {
  const chosen = new Set<number>();
  for (let last = Math.max(total - count, 0); last < total; last++) {
    const index = Math.floor(random() * (last + 1));
    chosen.add(chosen.has(index) ? last : index);
  }
  return Uint32Array.from(chosen).sort();
}
