// A wallet's day against the node at argv[2]: deploy, watch, write, read, decode a revert. Prints one JSON object.
import { createPublicClient, createWalletClient, http, defineChain, BaseError, ContractFunctionRevertedError } from "viem";
import { privateKeyToAccount } from "viem/accounts";
const [url, chainId, key, investor, artefact] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(artefact);
const chain = defineChain({ id: Number(chainId), name: "embedded", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [url] } } });
const account = privateKeyToAccount(key);
const transport = http(url, { batch: true });
const reader = createPublicClient({ chain, transport, pollingInterval: 20 });
const writer = createWalletClient({ chain, transport, account });
const out = {};
out.genesis = (await reader.getBlock({ blockNumber: 0n })).hash;
const deployed = await reader.waitForTransactionReceipt({ hash: await writer.deployContract({ abi, bytecode, args: [account.address] }) });
const address = deployed.contractAddress;
const seen = [];
const unwatch = reader.watchContractEvent({ address, abi, eventName: "Transfer", onLogs: (logs) => seen.push(...logs) });
await new Promise((done) => setTimeout(done, 100));
for (const [name, args] of [["mint", [account.address, 100n]], ["transfer", [investor, 30n]]]) {
  const { request } = await reader.simulateContract({ account, address, abi, functionName: name, args });
  await reader.waitForTransactionReceipt({ hash: await writer.writeContract(request) });
}
const raw = await account.signTransaction(await writer.prepareTransactionRequest({ to: investor, value: 5n, type: "eip1559" }));
out.raw = (await reader.waitForTransactionReceipt({ hash: await reader.sendRawTransaction({ serializedTransaction: raw }) })).status;
out.balance = String(await reader.readContract({ address, abi, functionName: "balanceOf", args: [investor] }));
try {
  await reader.readContract({ address, abi, functionName: "transfer", args: [investor, 10n ** 9n], account });
} catch (error) {
  const revert = error instanceof BaseError && error.walk((e) => e instanceof ContractFunctionRevertedError);
  out.reverted = revert ? revert.reason ?? "no reason" : String(error);
}
out.past = String(await reader.readContract({ address, abi, functionName: "totalSupply", blockNumber: deployed.blockNumber }));
for (let n = 0; n < 200 && seen.length < 2; n++) await new Promise((done) => setTimeout(done, 20));
unwatch();
out.watched = seen.map((log) => String(log.args.value));
const logs = await reader.getContractEvents({ address, abi, eventName: "Transfer", args: { receiver: investor }, fromBlock: 0n });
out.logs = logs.map((log) => String(log.args.value));
out.full = (await reader.getBlock({ includeTransactions: true })).transactions[0].from;
out.fees = typeof (await reader.estimateFeesPerGas()).maxFeePerGas;
out.proof = (await reader.getProof({ address, storageKeys: [] })).accountProof.length > 0;
console.log(JSON.stringify(out));
