// Uses minio-go, the S3 client that restic, Velero, Thanos and many others are built on.
//
// `minio BUCKET KEY-ARN` does what those do (parts, copies, composed objects, listings, presigned URLs, SSE-S3 and
// SSE-KMS) and ends with 1 unless every answer is right. Endpoint and keys come from the environment; over TLS so
// does the certificate to trust (SSL_CERT_FILE).
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

const partSize = 5 << 20

var (
	ctx     = context.Background()
	content = bytes.Repeat([]byte("line of a document that has parts"), 2*partSize/33+1000) // two parts and a bit
	// What the specification of metadata allows only encoded, and what clients send as it is.
	metadata = map[string]string{"Title": "größe 日本", "Plain": "a, b;  c"}
)

// place is where the steps work: a client, its bucket, and the key of the bucket.
type place struct {
	client *minio.Client
	bucket string
	keyARN string
}

// same fails unless both values print alike.
func same(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fail(fmt.Errorf("%s: got %.200v, want %.200v", what, got, want))
	}
}

func fail(err error) {
	if err != nil {
		panic(err)
	}
}

func (p place) put(name string, data []byte, options minio.PutObjectOptions) minio.UploadInfo {
	info, err := p.client.PutObject(ctx, p.bucket, name, bytes.NewReader(data), int64(len(data)), options)
	fail(err)
	return info
}

func (p place) read(name string) []byte {
	object, err := p.client.GetObject(ctx, p.bucket, name, minio.GetObjectOptions{})
	fail(err)
	defer object.Close()
	data, err := io.ReadAll(object)
	fail(err)
	return data
}

func (p place) stat(name string) minio.ObjectInfo {
	info, err := p.client.StatObject(ctx, p.bucket, name, minio.StatObjectOptions{})
	fail(err)
	return info
}

func (p place) expect(name string, data []byte, algorithm string) minio.ObjectInfo {
	if !bytes.Equal(p.read(name), data) {
		fail(fmt.Errorf("%s: other bytes came back", name))
	}
	info := p.stat(name)
	same(name+" encryption", info.Metadata.Get("X-Amz-Server-Side-Encryption"), algorithm)
	if algorithm == "aws:kms" {
		same(name+" key", info.Metadata.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), p.keyARN)
	}
	return info
}

// putParts uploads in parts under SSE-S3 and under SSE-KMS, and a stream whose length nobody knows.
func (p place) putParts() {
	options := minio.PutObjectOptions{PartSize: partSize, UserMetadata: maps.Clone(metadata), ContentType: "text/plain"}
	options.ServerSideEncryption = encrypt.NewSSE()
	p.put("parts/s3", content, options)
	info := p.expect("parts/s3", content, "AES256")
	same("metadata", info.UserMetadata, metadata)
	same("content type", info.ContentType, "text/plain")
	_, err := p.client.PutObject(ctx, p.bucket, "parts/stream", io.MultiReader(bytes.NewReader(content)), -1,
		minio.PutObjectOptions{PartSize: partSize, ConcurrentStreamParts: true, NumThreads: 2})
	fail(err)
	p.expect("parts/stream", content, "aws:kms") // by the default of the bucket
	if !p.secure() {
		return // minio-go sends SSE-KMS over TLS only
	}
	options.ServerSideEncryption, err = encrypt.NewSSEKMS(p.keyARN, map[string]string{"team": "größe"})
	fail(err)
	options.AutoChecksum, options.UserMetadata = minio.ChecksumCRC64NVME, maps.Clone(metadata)
	sent := p.put("parts/kms", content, options)
	p.expect("parts/kms", content, "aws:kms")
	if sent.ChecksumCRC64NVME == "" {
		fail(errors.New("no checksum of the whole object came back"))
	}
}

// readRange reads from the middle, as a seeking reader and as a range.
func (p place) readRange() {
	object, err := p.client.GetObject(ctx, p.bucket, "parts/stream", minio.GetObjectOptions{})
	fail(err)
	defer object.Close()
	_, err = object.Seek(-100, io.SeekEnd)
	fail(err)
	tail, err := io.ReadAll(object)
	fail(err)
	same("tail", tail, content[len(content)-100:])
	middle := make([]byte, 50)
	_, err = object.ReadAt(middle, partSize-25)
	fail(err)
	same("over the border of a part", middle, content[partSize-25:partSize+25])
}

// compose makes one object of two, and of a range, by UploadPartCopy.
func (p place) compose() {
	sources := []minio.CopySrcOptions{
		{Bucket: p.bucket, Object: "parts/s3"},
		{Bucket: p.bucket, Object: "parts/stream", MatchRange: true, Start: 10, End: partSize + 9},
		{Bucket: p.bucket, Object: "parts/s3", MatchRange: true, Start: 0, End: 99},
	}
	info, err := p.client.ComposeObject(ctx, minio.CopyDestOptions{
		Bucket: p.bucket, Object: "composed", Encryption: encrypt.NewSSE(), UserMetadata: maps.Clone(metadata),
		ReplaceMetadata: true,
	}, sources...)
	fail(err)
	whole := slices.Concat(content, content[10:partSize+10], content[:100])
	same("composed size", info.Size, len(whole))
	same("composed metadata", p.expect("composed", whole, "AES256").UserMetadata, metadata)
}

// copyObjects copies to names that need escapes, keeps metadata and replaces it, and honours conditions.
func (p place) copyObjects() {
	small := []byte("small")
	sent := p.put("copies/a b+c&d=é日.txt", small, minio.PutObjectOptions{UserMetadata: maps.Clone(metadata)})
	source := minio.CopySrcOptions{Bucket: p.bucket, Object: "copies/a b+c&d=é日.txt", MatchETag: sent.ETag}
	_, err := p.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: p.bucket, Object: "copies/kept%2F"}, source)
	fail(err)
	same("kept", p.expect("copies/kept%2F", small, "aws:kms").UserMetadata, metadata)
	replaced := map[string]string{"Other": "ünder"}
	_, err = p.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: p.bucket, Object: "copies/kept%2F",
		Encryption: encrypt.NewSSE(), UserMetadata: maps.Clone(replaced), ReplaceMetadata: true},
		minio.CopySrcOptions{Bucket: p.bucket, Object: "copies/kept%2F"})
	fail(err)
	same("replaced", p.expect("copies/kept%2F", small, "AES256").UserMetadata, replaced)
	source.NoMatchETag, source.MatchETag = sent.ETag, ""
	_, err = p.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: p.bucket, Object: "copies/none"}, source)
	same("condition of a copy", minio.ToErrorResponse(err).Code, "PreconditionFailed")
	once := minio.PutObjectOptions{}
	once.SetMatchETagExcept("*")
	_, err = p.client.PutObject(ctx, p.bucket, "copies/kept%2F", bytes.NewReader(small), 5, once)
	same("written once", minio.ToErrorResponse(err).Code, "PreconditionFailed")
}

// list lists by both versions of the operation, by folders, and uploads that are not complete.
func (p place) list() {
	wanted := []string{"composed", "copies/a b+c&d=é日.txt", "copies/kept%2F", "parts/s3", "parts/stream"}
	if p.secure() {
		wanted = slices.Insert(wanted, 3, "parts/kms")
	}
	same("V2", p.names(minio.ListObjectsOptions{Recursive: true, MaxKeys: 2}), wanted)
	same("V1", p.names(minio.ListObjectsOptions{Recursive: true, MaxKeys: 2, UseV1: true}), wanted)
	same("folders", p.names(minio.ListObjectsOptions{}), []string{"composed", "copies/", "parts/"})
	core := minio.Core{Client: p.client}
	id, err := core.NewMultipartUpload(ctx, p.bucket, "unfinished", minio.PutObjectOptions{})
	fail(err)
	for upload := range p.client.ListIncompleteUploads(ctx, p.bucket, "", true) {
		fail(upload.Err)
		same("upload", upload.Key+upload.UploadID, "unfinished"+id)
	}
	fail(p.client.RemoveIncompleteUpload(ctx, p.bucket, "unfinished"))
	_, err = core.ListObjectParts(ctx, p.bucket, "unfinished", id, 0, 10)
	same("parts of an upload that was removed", minio.ToErrorResponse(err).Code, "NoSuchUpload")
}

func (p place) names(options minio.ListObjectsOptions) []string {
	var found []string
	for object := range p.client.ListObjects(ctx, p.bucket, options) {
		fail(object.Err)
		found = append(found, object.Key)
	}
	return found
}

// presign writes and reads through URLs, with a header that the answer must carry.
func (p place) presign() {
	name := "signed/a b+c.txt"
	link, err := p.client.PresignedPutObject(ctx, p.bucket, name, time.Minute)
	fail(err)
	fetch(http.MethodPut, link, []byte("by a URL"))
	wanted := url.Values{"response-content-disposition": {`attachment; filename="a b.txt"`}}
	link, err = p.client.PresignedGetObject(ctx, p.bucket, name, time.Minute, wanted)
	fail(err)
	body, header := fetch(http.MethodGet, link, nil)
	same("by a URL", string(body), "by a URL")
	same("disposition", header.Get("Content-Disposition"), `attachment; filename="a b.txt"`)
}

func fetch(method string, link *url.URL, data []byte) ([]byte, http.Header) {
	request, err := http.NewRequest(method, link.String(), bytes.NewReader(data))
	fail(err)
	answer, err := http.DefaultClient.Do(request)
	fail(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fail(err)
	same(method+" "+string(body), answer.StatusCode, http.StatusOK)
	return body, answer.Header
}

// remove removes all at once; what is gone is gone, and what never was is no error.
func (p place) remove() {
	gone := make(chan minio.ObjectInfo, 100)
	for _, name := range append(p.names(minio.ListObjectsOptions{Recursive: true}), "never/was") {
		gone <- minio.ObjectInfo{Key: name}
	}
	close(gone)
	for failed := range p.client.RemoveObjects(ctx, p.bucket, gone, minio.RemoveObjectsOptions{}) {
		fail(failed.Err)
	}
	same("left", len(p.names(minio.ListObjectsOptions{Recursive: true})), 0)
	_, err := p.client.StatObject(ctx, p.bucket, "composed", minio.StatObjectOptions{})
	same("removed", minio.ToErrorResponse(err).Code, "NoSuchKey")
}

func (p place) secure() bool { return p.client.EndpointURL().Scheme == "https" }

func main() {
	endpoint, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	fail(err)
	client, err := minio.New(endpoint.Host, &minio.Options{Creds: credentials.NewEnvAWS(), Region: "us-east-1",
		Secure: endpoint.Scheme == "https", TrailingHeaders: true})
	fail(err)
	at := place{client, os.Args[1], os.Args[2]}
	for _, step := range []func(){at.putParts, at.readRange, at.compose, at.copyObjects, at.list, at.presign, at.remove} {
		step()
	}
	fmt.Println("right")
}
