import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Uses the HTTP client of the JDK as it is: over plain http it offers to go on in HTTP/2 (h2c) with each request.
 *
 * <p>`java Http.java PUT-URL GET-URL OTHER-PUT-URL OTHER-GET-URL LINE` writes and reads by presigned URLs, sees a body
 * without a length refused, as S3 does, and asks KMS and STS with requests that it signs itself. Endpoint and keys come
 * from the environment.
 */
class Http {
    static final HttpClient CLIENT = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    public static void main(String[] links) throws Exception {
        byte[] content = links[4].repeat(8192).getBytes();
        BodyPublisher chunked = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(content));
        for (int round = 0; round < 3; round++) { // on the same connection, and each offers the upgrade again
            BodyPublisher known = round == 0 ? BodyPublishers.ofByteArray(content)
                    : BodyPublishers.fromPublisher(chunked, content.length);
            send(HttpRequest.newBuilder(URI.create(links[0])).PUT(known).build(), 200);
            check(Arrays.equals(send(HttpRequest.newBuilder(URI.create(links[1])).build(), 200), content), "equal");
            byte[] refused = send(HttpRequest.newBuilder(URI.create(links[2])).PUT(chunked).build(), 501);
            check(new String(refused).contains("<Header>Transfer-Encoding</Header>"), "as S3 refuses chunks");
            send(HttpRequest.newBuilder(URI.create(links[3])).build(), 404);
        }
        String random = signed("kms", "application/x-amz-json-1.1", "TrentService.GenerateRandom",
                "{\"NumberOfBytes\":32}", 200);
        check(random.matches("\\{\"Plaintext\":\"[A-Za-z0-9+/]{43}=\"}"), random);
        String missing = signed("kms", "application/x-amz-json-1.1", "TrentService.DescribeKey",
                "{\"KeyId\":\"alias/größe\"}", 400);
        check(missing.contains("\"__type\":\""), missing);
        String form = "application/x-www-form-urlencoded; charset=utf-8";
        String who = signed("sts", form, null, "Action=GetCallerIdentity&Version=2011-06-15", 200);
        check(who.contains("<Account>123456789012</Account>"), who);
        System.out.println("right");
    }

    static byte[] send(HttpRequest request, int status) throws Exception {
        HttpResponse<byte[]> answer = CLIENT.send(request, BodyHandlers.ofByteArray());
        check(answer.statusCode() == status, answer + " " + new String(answer.body(), StandardCharsets.UTF_8));
        return answer.body();
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }

    /** Sends a request with Signature V4 over host, x-amz-date and, where there is one, x-amz-target. */
    static String signed(String service, String type, String target, String body, int status) throws Exception {
        URI endpoint = URI.create(System.getenv("AWS_ENDPOINT_URL") + "/");
        String time = ZonedDateTime.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'"));
        String headers = "content-type:" + type + "\nhost:" + endpoint.getAuthority() + "\nx-amz-date:" + time + "\n"
                + (target == null ? "" : "x-amz-target:" + target + "\n");
        String names = "content-type;host;x-amz-date" + (target == null ? "" : ";x-amz-target");
        String request = "POST\n/\n\n" + headers + "\n" + names + "\n" + hash(body);
        String scope = time.substring(0, 8) + "/us-east-1/" + service + "/aws4_request";
        byte[] key = ("AWS4" + System.getenv("AWS_SECRET_ACCESS_KEY")).getBytes();
        for (String part : scope.split("/")) key = mac(key, part);
        String text = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + hash(request);
        String signature = HexFormat.of().formatHex(mac(key, text));
        HttpRequest.Builder builder = HttpRequest.newBuilder(endpoint).POST(BodyPublishers.ofString(body))
                .header("Content-Type", type).header("X-Amz-Date", time).header("Authorization",
                        "AWS4-HMAC-SHA256 Credential=" + System.getenv("AWS_ACCESS_KEY_ID") + "/" + scope
                        + ", SignedHeaders=" + names + ", Signature=" + signature);
        if (target != null) builder.header("X-Amz-Target", target);
        return new String(send(builder.build(), status), StandardCharsets.UTF_8);
    }

    static String hash(String text) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(digest);
    }

    static byte[] mac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }
}
