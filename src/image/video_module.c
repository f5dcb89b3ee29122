/* video_module.c - akin_video.so: frames of a video through FFmpeg (libavformat, libavcodec,
 * libswscale).
 *
 * Owns the demuxer, one decoder and the conversion to RGB. FFmpeg is a large thing to show a
 * stranger's file to, so it is shown as little as possible: one container, named by the caller and
 * not guessed; the codecs of CODECS; one file, opened here, with every other one that a container
 * may point to refused; one thread; probing and frames of bounded size. Decoding errors are passed
 * over: what can be decoded is given. Pixels are exempt from equality, FFmpeg's versions differ.
 *
 * Two settings are FFmpeg's own for the whole process: it is told to be silent, and that no single
 * allocation may be larger than ALLOCATION_BYTES.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "base/error.h"
#include "video_module.h"

/* What cameras, telephones and the programs of thirty years wrote. */
static const char CODECS[] =
    "h264,hevc,vvc,av1,libdav1d,libaom-av1,vp8,vp9,vp7,vp6,vp6f,mpeg1video,mpeg2video,mpeg4,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,h263,h263i,h263p,flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,mjpegb,"
    "prores,dnxhd,dvvideo,svq1,svq3,cinepak,indeo2,indeo3,indeo4,indeo5,rpza,qtrle,rawvideo,"
    "ffv1,huffyuv,ffvhuff,utvideo";

#define READ_BYTES 65536
#define PROBE_BYTES ((int64_t)8 << 20)
#define PROBE_TIME (10 * (int64_t)AV_TIME_BASE)
#define MAX_STREAMS 64
/* A container of a kilobyte may promise an index of a gigabyte. 8K of 16 bits and full colour is
 * 200 MB. */
#define ALLOCATION_BYTES ((size_t)512 << 20)

#define SECOND ((int64_t)1000000)
#define TIME_MAX (SECOND * 1000000000) /* 30 years: a time beyond is none */
#define ERRORS_MAX 1000                /* without a packet read between them */

struct akin_video_stream {
    char *path;
    int fd;
    int64_t position, size; /* of the file */
    int io_error;           /* errno of a read that failed, else 0 */

    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream; /* borrowed from format */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *sws;

    int64_t max_pixels;
    bool got_first, have, ended, draining;
    bool indexed;    /* the container's index is whole: it tells whether a seek would help */
    bool seekable;   /* seeks have led where they should so far */
    bool just_sought;
    int64_t first;   /* timestamp of the first frame, in the stream's unit */
    int64_t at;      /* time of the frame */
    int64_t step;    /* to assume between frames */
    int64_t shift;   /* of times behind a place where timestamps began anew */
    int64_t wanted;  /* frames long before it need not all be decoded */
    int error;       /* FFmpeg's of the last thing that failed */
};

/* ---- the file */

static int read_some(void *opaque, uint8_t *to, int size)
{
    akin_video_stream *s = opaque;
    ssize_t n;
    do
        n = pread(s->fd, to, (size_t)size, s->position);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        s->io_error = errno;
        return AVERROR(errno);
    }
    s->position += n;
    return n == 0 ? AVERROR_EOF : (int)n;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence)
{
    akin_video_stream *s = opaque;
    if (whence & AVSEEK_SIZE)
        return s->size;
    whence &= ~AVSEEK_FORCE;
    const int64_t base = whence == SEEK_CUR ? s->position : whence == SEEK_END ? s->size : 0;
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0)
        return AVERROR(EINVAL);
    return s->position = to;
}

/* Whatever else a container asks for. */
static int open_nothing(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                        AVDictionary **options)
{
    (void)format;
    (void)url;
    (void)flags;
    (void)options;
    *io = NULL;
    return AVERROR(EPERM);
}

static akin_status open_file(akin_video_stream *s, const char *path, akin_error *err)
{
    struct stat facts;
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    if (fstat(s->fd, &facts) != 0)
        return akin_fail_errno(err, errno, path, "cannot look at");
    if (!S_ISREG(facts.st_mode))
        return akin_fail(err, AKIN_E_NOT_A_FILE, path, "not a regular file");
    s->size = facts.st_size;
    s->path = strdup(path);
    return s->path != NULL ? AKIN_OK : akin_fail_nomem(err, "a video", 0);
}

/* `code` of FFmpeg as one of ours. */
static akin_status refuse(const akin_video_stream *s, int code, const char *what, akin_error *err)
{
    if (s->io_error != 0)
        return akin_fail_errno(err, s->io_error, s->path, "cannot read");
    if (code == AVERROR(ENOMEM))
        return akin_fail_nomem(err, "a video's decoder", 0);
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, why, sizeof why);
    return akin_fail(err, code == AVERROR_PATCHWELCOME ? AKIN_E_UNSUPPORTED : AKIN_E_CORRUPT,
                     s->path, "%s: %s", what, why);
}

/* ---- facts */

/* Frames that a decoder may keep, the one in work included: 16 is the most that H.264 and its
 * successors may refer to; the others refer to 8 at most. */
static int64_t frames_kept(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC ? 18 : 10;
}

static int64_t pixel_bytes(int pixel_format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)pixel_format);
    const int bits = d != NULL ? av_get_padded_bits_per_pixel(d) : 0;
    return bits <= 0 ? 3 : bits <= 8 ? 1 : (bits + 7) / 8;
}

static akin_status check_size(akin_video_stream *s, const AVCodecParameters *p, size_t memory_bytes,
                              akin_error *err)
{
    /* And RGB of it, three times: as converted, as given, as turned. */
    const int64_t each = frames_kept(p->codec_id) * pixel_bytes(p->format) + 9;
    s->max_pixels = (int64_t)(memory_bytes / (size_t)each);
    const int64_t pixels = (int64_t)p->width * p->height;
    if (p->width >= 0 && p->height >= 0 && pixels <= s->max_pixels)
        return AKIN_OK;
    return akin_fail(err, AKIN_E_LIMIT, s->path,
                     "a video of %d x %d pixels needs %lld bytes of memory, the limit is %zu: "
                     "raise it with --max-memory",
                     p->width, p->height, (long long)(pixels * each), memory_bytes);
}

static const int32_t *display_matrix(const AVStream *stream)
{
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *d = av_packet_side_data_get(stream->codecpar->coded_side_data,
                                                        stream->codecpar->nb_coded_side_data,
                                                        AV_PKT_DATA_DISPLAYMATRIX);
    return d != NULL && d->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)d->data
                                                       : NULL;
#else
    return (const int32_t *)(const void *)av_stream_get_side_data(
        stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
#endif
}

/* How EXIF would say it. x' = a x + c y, y' = b x + d y: the matrix is rounded to the quarter turn
 * or mirroring that is nearest. */
static int orientation_of(const AVStream *stream)
{
    const int32_t *m = display_matrix(stream);
    if (m == NULL)
        return 1;
    const int64_t a = m[0], b = m[1], c = m[3], d = m[4];
    if (llabs(a) + llabs(d) >= llabs(b) + llabs(c))
        return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
    return b >= 0 ? (c >= 0 ? 5 : 6) : (c >= 0 ? 8 : 7);
}

/* Square pixels: the side that grows. */
static void square(AVRational aspect, int *width, int *height)
{
    if (aspect.num <= 0 || aspect.den <= 0 || aspect.num == aspect.den ||
        aspect.num / aspect.den >= 8 || aspect.den / aspect.num >= 8)
        return;
    if (aspect.num > aspect.den)
        *width = (int)av_rescale(*width, aspect.num, aspect.den);
    else
        *height = (int)av_rescale(*height, aspect.den, aspect.num);
}

static bool number(const char *text, int digits, int low, int high, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (text[i] - '0');
    }
    return *out >= low && *out <= high;
}

/* "2023-06-15T14:03:22..." when there is such a day. Clocks never set say 1904 or 1970. */
static bool date_of(const AVDictionary *facts, const char *key, char out[32])
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const AVDictionaryEntry *e = av_dict_get(facts, key, NULL, 0);
    int y, month, d, h, min, sec;
    if (e == NULL || strlen(e->value) < 19)
        return false;
    const char *v = e->value;
    if (!number(v, 4, 1971, 9999, &y) || v[4] != '-' || !number(v + 5, 2, 1, 12, &month) ||
        v[7] != '-' || !number(v + 8, 2, 1, 31, &d) || (v[10] != 'T' && v[10] != ' ') ||
        !number(v + 11, 2, 0, 23, &h) || v[13] != ':' || !number(v + 14, 2, 0, 59, &min) ||
        v[16] != ':' || !number(v + 17, 2, 0, 59, &sec))
        return false;
    const bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    if (d > days[month - 1] + (month == 2 && leap))
        return false;
    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d", y, month, d, h, min, sec);
    return true;
}

static void describe(const akin_video_stream *s, akin_video_facts *facts)
{
    const AVCodecParameters *p = s->stream->codecpar;
    *facts = (akin_video_facts){ .width = p->width, .height = p->height,
                                 .orientation = orientation_of(s->stream) };
    square(av_guess_sample_aspect_ratio(s->format, s->stream, NULL), &facts->width,
           &facts->height);
    if (s->stream->duration > 0 && s->stream->duration != AV_NOPTS_VALUE)
        facts->duration = (double)s->stream->duration * av_q2d(s->stream->time_base);
    else if (s->format->duration > 0 && s->format->duration != AV_NOPTS_VALUE)
        facts->duration = (double)s->format->duration / AV_TIME_BASE;
    if (!(facts->duration > 0) || facts->duration > 1e9)
        facts->duration = 0;
    if (!date_of(s->format->metadata, "com.apple.quicktime.creationdate", facts->taken_at) &&
        !date_of(s->format->metadata, "creation_time", facts->taken_at))
        date_of(s->stream->metadata, "creation_time", facts->taken_at);
}

/* ---- opening */

static void stream_close(akin_video_stream *s)
{
    if (s == NULL)
        return;
    sws_freeContext(s->sws);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->codec);
    avformat_close_input(&s->format);
    if (s->io != NULL)
        av_freep(&s->io->buffer);
    avio_context_free(&s->io);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

static akin_status open_container(akin_video_stream *s, const char *demuxer, akin_error *err)
{
#if LIBAVFORMAT_VERSION_MAJOR >= 59
    const AVInputFormat *input = av_find_input_format(demuxer);
#else
    AVInputFormat *input = av_find_input_format(demuxer);
#endif
    if (input == NULL)
        return akin_fail(err, AKIN_E_UNSUPPORTED, s->path, "this FFmpeg reads no '%s' files",
                         demuxer);
    uint8_t *buffer = av_malloc(READ_BYTES);
    s->io = buffer != NULL ? avio_alloc_context(buffer, READ_BYTES, 0, s, read_some, NULL, seek_to)
                           : NULL;
    if (s->io == NULL) {
        av_free(buffer);
        return akin_fail_nomem(err, "a video", READ_BYTES);
    }
    s->format = avformat_alloc_context();
    if (s->format == NULL)
        return akin_fail_nomem(err, "a video", 0);
    s->format->pb = s->io;
    s->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    s->format->io_open = open_nothing;
    s->format->probesize = PROBE_BYTES;
    s->format->max_analyze_duration = PROBE_TIME;
    s->format->max_streams = MAX_STREAMS;
    AVDictionary *options = NULL;
    int code = av_dict_set(&options, "protocol_whitelist", "none", 0);
    if (code >= 0)
        code = av_dict_set(&options, "format_whitelist", input->name, 0);
    if (code >= 0)
        code = av_dict_set(&options, "codec_whitelist", CODECS, 0);
    if (code >= 0)
        code = avformat_open_input(&s->format, "", input, &options); /* frees it when it fails */
    av_dict_free(&options);
    return code >= 0 ? AKIN_OK : refuse(s, code, "broken video", err);
}

/* Reads enough of the streams to know them: decodes a frame, if the container says too little. */
static akin_status look_at_streams(akin_video_stream *s, size_t memory_bytes, akin_error *err)
{
    akin_status status = AKIN_OK;
    const unsigned count = s->format->nb_streams;
    AVDictionary **options = av_calloc(count + 1, sizeof *options);
    if (options == NULL)
        return akin_fail_nomem(err, "a video", 0);
    for (unsigned i = 0; status == AKIN_OK && i < count; i++) {
        AVStream *stream = s->format->streams[i];
        if (stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) {
            stream->discard = AVDISCARD_ALL;
            continue;
        }
        status = check_size(s, stream->codecpar, memory_bytes, err);
        /* And not what the stream inside says instead. */
        if (status == AKIN_OK && av_dict_set_int(&options[i], "max_pixels", s->max_pixels, 0) < 0)
            status = akin_fail_nomem(err, "a video", 0);
    }
    if (status == AKIN_OK) {
        const int code = avformat_find_stream_info(s->format, options);
        if (code < 0)
            status = refuse(s, code, "broken video", err);
    }
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    av_free(options);
    return status;
}

static akin_status open_decoder(akin_video_stream *s, size_t memory_bytes, akin_error *err)
{
    const int index = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (index < 0 || s->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return akin_fail(err, AKIN_E_FORMAT, s->path, "a video file without a stream of pictures");
    s->stream = s->format->streams[index];
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        s->format->streams[i]->discard = (int)i == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    const AVCodecParameters *p = s->stream->codecpar;
    akin_status status = check_size(s, p, memory_bytes, err);
    if (status != AKIN_OK)
        return status;
    const AVCodec *decoder = avcodec_find_decoder(p->codec_id);
    if (decoder == NULL)
        return akin_fail(err, AKIN_E_UNSUPPORTED, s->path, "this FFmpeg has no decoder for '%s'",
                         avcodec_get_name(p->codec_id));
    s->codec = avcodec_alloc_context3(decoder);
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    if (s->codec == NULL || s->packet == NULL || s->frame == NULL)
        return akin_fail_nomem(err, "a video's decoder", 0);
    int code = avcodec_parameters_to_context(s->codec, p);
    if (code < 0)
        return refuse(s, code, "broken video", err);
    s->codec->thread_count = 1; /* how many is our caller's choice */
    s->codec->max_pixels = s->max_pixels;
    s->codec->pkt_timebase = s->stream->time_base;
    AVDictionary *options = NULL;
    code = av_dict_set(&options, "codec_whitelist", CODECS, 0);
    if (code >= 0)
        code = avcodec_open2(s->codec, decoder, &options);
    av_dict_free(&options);
    if (code == AVERROR(EINVAL))
        return akin_fail(err, AKIN_E_UNSUPPORTED, s->path, "a video of '%s', which akin does not "
                                                           "read", decoder->name);
    return code >= 0 ? AKIN_OK : refuse(s, code, "broken video", err);
}

static akin_status stream_open(akin_video_stream **out, const char *path, const char *demuxer,
                               size_t memory_bytes, akin_video_facts *facts, akin_error *err)
{
    akin_status status;
    *out = NULL;
    akin_video_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return akin_fail_nomem(err, "a video", sizeof *s);
    s->fd = -1;
    AKIN_TRY(open_file(s, path, err));
    AKIN_TRY(open_container(s, demuxer, err));
    AKIN_TRY(look_at_streams(s, memory_bytes, err));
    AKIN_TRY(open_decoder(s, memory_bytes, err));
    describe(s, facts);
    const AVRational rate = s->stream->avg_frame_rate;
    s->step = rate.num > 0 && rate.den > 0 ? av_rescale(SECOND, rate.den, rate.num) : 0;
    if (s->step < SECOND / 1000 || s->step > SECOND * 10)
        s->step = SECOND / 25;
    /* MPEG streams have no index: a seek there ends between key frames. */
    s->seekable = strncmp(demuxer, "mpeg", 4) != 0;
    s->indexed = strcmp(demuxer, "mov") == 0 || strcmp(demuxer, "avi") == 0;
    *out = s;
    s = NULL;
out:
    stream_close(s);
    return status;
}

/* ---- frames */

/* The time of the frame at hand. */
static void set_time(akin_video_stream *s)
{
    const int64_t before = s->at, stamp = s->frame->best_effort_timestamp;
    int64_t since, time = -1;
    if (!s->got_first) {
        s->first = stamp;
        s->got_first = true;
        s->at = 0;
        return;
    }
    if (s->first == AV_NOPTS_VALUE && stamp != AV_NOPTS_VALUE) {
        /* The first frame had none: times count from here back. */
        since = av_rescale_q(before + s->step, AV_TIME_BASE_Q, s->stream->time_base);
        if (__builtin_sub_overflow(stamp, since, &s->first))
            s->first = AV_NOPTS_VALUE;
    }
    if (stamp != AV_NOPTS_VALUE && s->first != AV_NOPTS_VALUE &&
        !__builtin_sub_overflow(stamp, s->first, &since)) {
        time = av_rescale_q(since, s->stream->time_base, AV_TIME_BASE_Q);
        if (time > -TIME_MAX && time < TIME_MAX)
            time += s->shift;
        else
            time = -1;
        /* Recordings put one behind the other: the clock began anew. */
        if (time < before - SECOND && !s->just_sought) {
            s->shift += before + s->step - time;
            time = before + s->step;
        }
    }
    s->just_sought = false;
    s->at = time >= 0 && time < TIME_MAX ? time : before + s->step;
    if (s->shift > TIME_MAX) /* nothing but jumps: what it says is worth nothing */
        s->shift = 0;
}

/* Feeds the decoder one packet more. */
static void feed(akin_video_stream *s)
{
    int code;
    while ((code = av_read_frame(s->format, s->packet)) >= 0) {
        if (s->packet->stream_index == s->stream->index)
            break;
        av_packet_unref(s->packet);
    }
    if (code < 0) {
        s->draining = true;
        avcodec_send_packet(s->codec, NULL);
        if (code != AVERROR_EOF)
            s->error = code;
        return;
    }
    /* No other frame is made of those that are left out. */
    const int64_t stamp = s->packet->pts;
    int64_t since;
    s->codec->skip_frame = AVDISCARD_DEFAULT;
    if (stamp != AV_NOPTS_VALUE && s->got_first && s->first != AV_NOPTS_VALUE && s->shift == 0 &&
        !__builtin_sub_overflow(stamp, s->first, &since) &&
        av_rescale_q(since, s->stream->time_base, AV_TIME_BASE_Q) < s->wanted - 2 * SECOND)
        s->codec->skip_frame = AVDISCARD_NONREF;
    code = avcodec_send_packet(s->codec, s->packet);
    av_packet_unref(s->packet);
    if (code < 0)
        s->error = code;
}

/* The next frame, or the end. */
static bool decode(akin_video_stream *s)
{
    int errors = 0;
    s->have = false;
    while (!s->ended && errors < ERRORS_MAX) {
        const int code = avcodec_receive_frame(s->codec, s->frame);
        if (code == 0) {
            if (s->frame->width < 1 || s->frame->height < 1 ||
                (int64_t)s->frame->width * s->frame->height > s->max_pixels)
                continue;
            set_time(s);
            return s->have = true;
        }
        if (code == AVERROR(EAGAIN) && !s->draining) {
            feed(s);
            errors = 0;
        } else if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) {
            break;
        } else {
            s->error = code;
            errors++;
        }
    }
    s->ended = true;
    return false;
}

/* Goes to the key frame before `target` when that lies behind what was decoded already. */
static void skip_to(akin_video_stream *s, int64_t target)
{
    if (!s->seekable || s->shift != 0 || s->first == AV_NOPTS_VALUE || target > TIME_MAX ||
        target - s->at < SECOND / 2)
        return;
    const AVRational unit = s->stream->time_base;
    const int64_t early = target - SECOND / 4; /* indexes hold times of decoding, not of showing */
    int64_t stamp, now;
    if (__builtin_add_overflow(s->first, av_rescale_q(early, AV_TIME_BASE_Q, unit), &stamp) ||
        __builtin_add_overflow(s->first, av_rescale_q(s->at, AV_TIME_BASE_Q, unit), &now))
        return;
#if LIBAVFORMAT_VERSION_MAJOR >= 59
    const AVIndexEntry *key =
        s->indexed ? avformat_index_get_entry_from_timestamp(s->stream, stamp, AVSEEK_FLAG_BACKWARD)
                   : NULL;
    if (s->indexed && (key == NULL || key->timestamp <= now))
        return;
#endif
    if (avformat_seek_file(s->format, s->stream->index, INT64_MIN, stamp, stamp, 0) < 0) {
        s->seekable = false;
        return;
    }
    s->indexed = true; /* Matroska reads its own when it is first needed */
    avcodec_flush_buffers(s->codec);
    s->draining = s->ended = false;
    s->just_sought = true;
    const int64_t before = s->at;
    if (decode(s) && s->at <= before)
        s->seekable = false; /* it led back: never twice over the same frames */
}

static akin_status stream_seek(akin_video_stream *s, int64_t target, int64_t *at, int *width,
                               int *height, bool *found, akin_error *err)
{
    *found = false;
    s->wanted = target;
    if (!s->got_first && !decode(s))
        return refuse(s, s->error != 0 ? s->error : AVERROR_INVALIDDATA,
                      "no frame of the video can be decoded", err);
    if (s->have && s->at < target)
        skip_to(s, target);
    while (s->have && s->at < target)
        decode(s);
    if (s->io_error != 0)
        return akin_fail_errno(err, s->io_error, s->path, "cannot read");
    if (!s->have)
        return AKIN_OK;
    *found = true;
    *at = s->at;
    *width = s->frame->width;
    *height = s->frame->height;
    square(av_guess_sample_aspect_ratio(s->format, s->stream, s->frame), width, height);
    return AKIN_OK;
}

/* The matrix from YCbCr to RGB. A stream that does not say: high definition is BT.709, as players
 * take it (libswscale takes BT.601). */
static const int *matrix_of(const AVFrame *frame)
{
    if (frame->colorspace == AVCOL_SPC_UNSPECIFIED)
        return sws_getCoefficients(frame->width >= 1280 || frame->height > 576 ? SWS_CS_ITU709
                                                                               : SWS_CS_ITU601);
    return sws_getCoefficients((int)frame->colorspace);
}

static akin_status stream_read(akin_video_stream *s, uint8_t *rgb, akin_error *err)
{
    int width = s->frame->width, height = s->frame->height;
    square(av_guess_sample_aspect_ratio(s->format, s->stream, s->frame), &width, &height);
    s->sws = sws_getCachedContext(s->sws, s->frame->width, s->frame->height,
                                  (enum AVPixelFormat)s->frame->format, width, height,
                                  AV_PIX_FMT_RGB24,
                                  SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL,
                                  NULL);
    if (s->sws == NULL)
        return akin_fail(err, AKIN_E_UNSUPPORTED, s->path,
                         "this FFmpeg cannot convert the video's pixels (%s)",
                         av_get_pix_fmt_name((enum AVPixelFormat)s->frame->format));
    int *inverse, *table, from_full, to_full, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(s->sws, &inverse, &from_full, &table, &to_full, &brightness,
                                 &contrast, &saturation) >= 0)
        sws_setColorspaceDetails(s->sws, matrix_of(s->frame),
                                 from_full || s->frame->color_range == AVCOL_RANGE_JPEG, table, 1,
                                 brightness, contrast, saturation);
    /* libswscale writes whole vectors, beyond a row's end. */
    const size_t row = (size_t)width * 3, pitch = (row + 127) / 64 * 64;
    uint8_t *pixels = av_malloc(pitch * (size_t)height);
    if (pixels == NULL)
        return akin_fail_nomem(err, "a frame", pitch * (size_t)height);
    uint8_t *const to[4] = { pixels };
    const int pitches[4] = { (int)pitch };
    const int rows = sws_scale(s->sws, (const uint8_t *const *)s->frame->data, s->frame->linesize,
                               0, s->frame->height, to, pitches);
    for (int y = 0; rows == height && y < height; y++)
        memcpy(rgb + (size_t)y * row, pixels + (size_t)y * pitch, row);
    av_free(pixels);
    return rows == height ? AKIN_OK
                          : akin_fail(err, AKIN_E_CORRUPT, s->path, "a frame cannot be converted");
}

__attribute__((visibility("default"))) const akin_video_calls *akin_video_module_1(void);

const akin_video_calls *akin_video_module_1(void)
{
    static const akin_video_calls calls = { AKIN_VIDEO_MODULE_VERSION, stream_open, stream_close,
                                            stream_seek, stream_read };
    av_log_set_level(AV_LOG_QUIET);
    av_max_alloc(ALLOCATION_BYTES);
    return &calls;
}
