// AWS's SDK for JavaScript: BUCKET FILE, or --version. An upload of parts, a read, a range, a list, a copy, a removal.
const fs = require("node:fs");
const { CopyObjectCommand, DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } =
  require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const assert = require("node:assert");

async function main(Bucket, file) {
  const client = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, region: "us-east-1" });
  const content = fs.readFileSync(file);
  const parts = { Bucket, Key: "dir/large.bin", Body: fs.createReadStream(file) };
  await new Upload({ client, partSize: 5 * 2 ** 20, params: parts }).done();
  const whole = await client.send(new GetObjectCommand({ Bucket, Key: "dir/large.bin" }));
  assert(Buffer.from(await whole.Body.transformToByteArray()).equals(content));
  const some = await client.send(new GetObjectCommand({ Bucket, Key: "dir/large.bin", Range: "bytes=7000000-7000099" }));
  assert(Buffer.from(await some.Body.transformToByteArray()).equals(content.subarray(7000000, 7000100)));
  await client.send(new CopyObjectCommand({ Bucket, Key: "dir/copied.bin", CopySource: `${Bucket}/dir/large.bin` }));
  await client.send(new PutObjectCommand({ Bucket, Key: "gone.bin", Body: "x" }));
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "dir/" }));
  assert.deepStrictEqual(Contents.map((entry) => entry.Key), ["dir/copied.bin", "dir/large.bin"]);
  await client.send(new DeleteObjectCommand({ Bucket, Key: "gone.bin" }));
  console.log("right");
}

if (process.argv[2] === "--version") console.log(require("@aws-sdk/client-s3/package.json").version);
else main(...process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
