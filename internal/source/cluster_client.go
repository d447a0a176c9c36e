package source

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"unsafe"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// newClient is a client that asks gently, speaks to nobody but the server it was given, and takes
// no more than a bounded answer. The discovery client is the lightest one that finds out what is
// served; its REST client does the rest.
func newClient(o *ClusterOptions) (*discovery.DiscoveryClient, error) {
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst, config.RateLimiter = clusterQPS, clusterBurst, nil
	config.Timeout = cmp.Or(config.Timeout, requestTimeout)
	config.UserAgent = cmp.Or(o.UserAgent, "coaming")
	config.WarningHandler = rest.NoWarnings{} // that an API is old is a rule's business, not a log line's
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &boundedAnswers{next} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = stayThere
	return discovery.NewDiscoveryClientForConfigAndClient(config, client)
}

// stayThere follows no redirect to another server: the credentials would go along.
func stayThere(request *http.Request, via []*http.Request) error {
	first := via[0].URL
	if request.URL.Scheme != first.Scheme || request.URL.Host != first.Host || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// boundedAnswers ends an answer that is larger than any page can be.
type boundedAnswers struct{ next http.RoundTripper }

func (b *boundedAnswers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err == nil {
		response.Body = &boundedBody{boundedReader{r: response.Body, left: maxAnswer}, response.Body}
	}
	return response, err
}

type boundedBody struct {
	boundedReader
	io.Closer
}

// get asks the API server. Nothing in the product asks it but by this and by discovery, and only
// with GET.
func (c *cluster) get(ctx context.Context, path string, query map[string]string) (string, error) {
	request := c.client.RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json")
	for key, value := range query {
		request.Param(key, value)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return "", err
	}
	body, err := result.Raw()
	if err != nil {
		return "", err
	}
	return unsafe.String(unsafe.SliceData(body), len(body)), nil // nobody else has the bytes
}

// statusCode is the status that the server refused with, 0 when it did not answer.
func statusCode(err error) int {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return 0
	}
	return int(status.Status().Code)
}
