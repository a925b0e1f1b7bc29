<?php
// The flow of a PHP class in an ERP that speaks param2 with plain curl: it signs the authorize URL and the
// refresh, and nothing else. Its refresh signs a path with the key of one app for all of them.

$handed = json_decode(getenv('SESAME_INTEROP'), true);
$listen = $handed['listen'];
$key = $handed['app']['app_key'];
$secret = $handed['app']['app_secret'];
$redirect = $handed['app']['redirect_uri'];
$token = [];
$group = $product = $module = null;

function sign_text(string $path, array $pairs): string
{
    global $secret;
    $parts = [];
    foreach ($pairs as $name => $value) {
        $parts[] = $name . $value;
    }
    sort($parts, SORT_STRING);
    return strtoupper(bin2hex(hash_hmac('sha1', $path . implode('', $parts), $secret, true)));
}

function curl(string $url, ?array $post, bool $headers = false): string
{
    $curl = curl_init($url);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_TIMEOUT, 20);
    curl_setopt($curl, CURLOPT_HEADER, $headers);
    if ($post !== null) {
        curl_setopt($curl, CURLOPT_POST, true);
        curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($post));
    }
    $body = curl_exec($curl);
    if ($body === false) {
        throw new Exception('curl: ' . curl_error($curl));
    }
    return $body;
}

/** Calls an API: no signature, the token among the fields. */
function api(string $name, array $fields): array
{
    global $listen, $key, $token;
    $fields['access_token'] = $token['access_token'];
    $body = curl("$listen/openapi/param2/1/aliexpress.open/$name/$key", $fields);
    $reply = json_decode($body, true);
    if (!is_array($reply)) {
        throw new Exception("$name answered: " . substr($body, 0, 300));
    }
    return $reply;
}

function same($got, $expected): void
{
    if ($got !== $expected) {
        throw new Exception('got ' . json_encode($got) . ', expected ' . json_encode($expected));
    }
}

/** Returns what stands at a path of names, or fails with the whole reply. */
function at(array $reply, ...$names)
{
    $here = $reply;
    foreach ($names as $name) {
        if (!is_array($here) || !array_key_exists($name, $here)) {
            throw new Exception("no '$name' in " . substr(json_encode($reply), 0, 600));
        }
        $here = $here[$name];
    }
    return $here;
}

$checks = [
    'gets a code from the signed authorize URL' => function () {
        global $listen, $key, $redirect, $code;
        $pairs = ['client_id' => $key, 'redirect_uri' => $redirect, 'site' => 'aliexpress', 'state' => 'me'];
        $pairs['_aop_signature'] = sign_text('', $pairs);
        $reply = curl("$listen/auth/authorize.htm?" . http_build_query($pairs), null, true);
        if (!preg_match('/^location: .*[?&]code=([^&\s]+)/mi', $reply, $found)) {
            throw new Exception('no code in ' . substr($reply, 0, 400));
        }
        $code = urldecode($found[1]);
    },
    'turns the code into tokens' => function () {
        global $listen, $key, $secret, $redirect, $code, $token;
        $reply = curl("$listen/openapi/http/1/system.oauth2/getToken/$key", [
            'grant_type' => 'authorization_code', 'need_refresh_token' => 'true', 'client_id' => $key,
            'client_secret' => $secret, 'redirect_uri' => $redirect, 'code' => $code,
        ]);
        $token = json_decode($reply, true);
        foreach (['access_token', 'refresh_token', 'aliId', 'resource_owner', 'refresh_token_timeout'] as $name) {
            at($token, $name);
        }
    },
    'refreshes with a signature over the path of another app' => function () {
        global $listen, $key, $secret, $token;
        $post = [
            'grant_type' => 'refresh_token', 'client_id' => $key, 'client_secret' => $secret,
            'refresh_token' => $token['refresh_token'],
        ];
        foreach (['getToken', 'refreshToken'] as $call) {
            $signed = $post;
            $signed['_aop_signature'] = sign_text("param2/1/system.oauth2/$call/544880", $post);
            $reply = json_decode(curl("$listen/openapi/param2/1/system.oauth2/$call/$key", $signed), true);
            $token['access_token'] = at($reply, 'access_token');
            if (array_key_exists('refresh_token', $reply)) {
                throw new Exception('a refresh token came, which the class would store');
            }
        }
    },
    'lists the templates, unsigned' => function () {
        global $module;
        $reply = api('api.findAeProductDetailModuleListByQurey', ['moduleStatus' => 'approved', 'pageIndex' => 1]);
        $module = at($reply, 'aeopDetailModuleList', 0, 'id');
    },
    'reads one template' => function () {
        global $module;
        same(at(api('api.findAeProductModuleById', ['moduleId' => $module]), 'id'), $module);
    },
    'lists what is on sale, to the end' => function () {
        global $product;
        $seen = [];
        $page = 1;
        do {
            $reply = api('api.findProductInfoListQuery', [
                'productStatusType' => 'onSelling', 'pageSize' => 30, 'currentPage' => $page,
            ]);
            foreach (at($reply, 'aeopAEProductDisplayDTOList') as $row) {
                $seen[$row['productId']] = true;
            }
        } while ($page++ < at($reply, 'totalPage'));
        same(count($seen), at($reply, 'productCount'));
        $product = array_key_first($seen);
    },
    'reads one product' => function () {
        global $product;
        same(at(api('api.findAeProductById', ['productId' => $product]), 'productId'), $product);
    },
    'lists orders' => function () {
        at(api('api.findOrderListQuery', ['page' => 1, 'pageSize' => 20]), 'result', 'orderList');
    },
    'walks down the categories' => function () {
        $top = at(api('api.getChildrenPostCategoryById', ['cateId' => 0]), 'aeopPostCategoryList');
        at(api('api.getChildrenPostCategoryById', ['cateId' => $top[0]['id']]), 'aeopPostCategoryList');
    },
    'is told that the token is wrong' => function () {
        global $token;
        $token['access_token'] = 'invented';
        same(at(api('api.findAeProductById', ['productId' => 1]), 'error_code'), '401');
    },
];

echo '1..', count($checks), "\n";
$number = 0;
foreach ($checks as $title => $check) {
    $number++;
    try {
        $check();
        echo "ok $number - $title\n";
    } catch (Throwable $error) {
        echo "not ok $number - $title: ", preg_replace('/\s+/', ' ', substr($error->getMessage(), 0, 900)), "\n";
    }
}
