// Three durable steps, as `three_steps` has them: every `ctx.run` is journalled before the next begins.
// Node 20 has no Promise.withResolvers, which the SDK calls
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new Promise((yes, no) => ((resolve = yes), (reject = no)));
  return { promise, resolve, reject };
};
import * as restate from "@restatedev/restate-sdk";

const three = restate.service({
  name: "three",
  handlers: {
    steps: async (ctx, input) => {
      const first = await ctx.run("first", () => ({ greeting: "hello " + input.name }));
      const second = await ctx.run("second", () => ({ message: first.greeting }));
      return await ctx.run("third", () => ({ done: true, said: second }));
    },
  },
});

await restate.serve({ services: [three], port: Number(process.env.PORT) });
