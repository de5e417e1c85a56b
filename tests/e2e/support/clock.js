/**
 * Lets a program's time run ahead: `pass` rings all timers that are due by then, one by one, and the
 * program's clocks go along. What the network does takes its own time, as ever.
 */
export function skipping(world = globalThis) {
  const { setTimeout, clearTimeout, setImmediate, performance, Date } = world;
  const [steady, wall] = [performance.now.bind(performance), Date.now];
  const timers = new Map();
  let ahead = 0;
  performance.now = () => steady() + ahead;
  Date.now = () => wall() + ahead;
  world.setTimeout = (act, wait = 0, ...rest) => {
    const ring = () => {
      world.clearTimeout(timer);
      act(...rest);
    };
    const timer = setTimeout(ring, wait);
    timers.set(timer, { wait, due: performance.now() + wait, ring });
    return timer;
  };
  world.clearTimeout = (timer) => {
    timers.delete(timer);
    clearTimeout(timer);
  };
  return {
    /** What was waited for at first, of each timer that runs, in milliseconds. */
    waits: () => [...timers.values()].map(({ wait }) => Math.round(wait)),
    async pass(millis) {
      const end = performance.now() + millis;
      for (;;) {
        const [next] = [...timers.values()].filter(({ due }) => due <= end).sort((one, other) => one.due - other.due);
        if (!next) break;
        ahead += Math.max(0, next.due - performance.now());
        next.ring();
        await new Promise(setImmediate);
      }
      ahead += Math.max(0, end - performance.now());
    },
  };
}
