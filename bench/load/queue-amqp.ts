import { type ChannelModel, connect } from "amqplib";
import { batchSize, bodyText, type QueueDriver, queueName } from "./queue-driver.ts";

/** RabbitMQ as its guides advise for what must not be lost: durable queue, persistent messages, publisher confirms, manual acks. */
export function amqpDriver(port: number): QueueDriver {
  const open = (): Promise<ChannelModel> => connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const body = Buffer.from(bodyText);
  return {
    async producer() {
      const channel = await (await open()).createConfirmChannel();
      await channel.assertQueue(queueName, { durable: true });
      return async () => {
        for (let index = 0; index < batchSize; index++) channel.sendToQueue(queueName, body, { persistent: true });
        await channel.waitForConfirms();
      };
    },
    async consumer(removed) {
      const channel = await (await open()).createChannel();
      await channel.assertQueue(queueName, { durable: true });
      await channel.prefetch(batchSize);
      let held = 0;
      await channel.consume(queueName, (message) => {
        if (message === null || ++held < batchSize) return;
        channel.ack(message, true); // all up to this one
        removed(held);
        held = 0;
      });
      await new Promise(() => {});
    },
  };
}
