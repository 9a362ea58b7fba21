// The official npm client, unmodified: one paid request by the scheme named, its answer as one line of JSON.
import { wrapFetchWithPaymentFromConfig, decodePaymentResponseHeader } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm";
import { UptoEvmScheme } from "@x402/evm/upto/client";
import { privateKeyToAccount } from "viem/accounts";

const [url, key, network, asset, scheme, times] = process.argv.slice(2);
const account = privateKeyToAccount(key);
const client = scheme === "upto" ? new UptoEvmScheme(account) : new ExactEvmScheme(account);
const pay = wrapFetchWithPaymentFromConfig(fetch, {
  schemes: [{ network, client }],
  spendControls: { allowedAssets: [{ network, asset, maxAmountPerPayment: "50000" }] },
});
const answers = await Promise.all(
  Array.from({ length: Number(times) }, async () => {
    const answer = await pay(url, { method: "POST", body: "embed this" });
    const header = answer.headers.get("PAYMENT-RESPONSE");
    return { status: answer.status, body: await answer.json(), settled: header && decodePaymentResponseHeader(header) };
  }),
);
console.log(JSON.stringify(answers));
