"""Makes tests/golden/video: small videos, and what the program ffmpeg shows of every frame.

    python tools/oracle/videos.py tests/golden/video

Needs the programs ffmpeg and ffprobe (5.1.9 was used) and nothing else. Videos are kept when they exist
(other encoders write other bytes), the answers are always made anew. frames.txt has a line a frame: file,
milliseconds since the first frame, width and height as shown (turned, pixels square), and the means of
8 x 6 fields of the picture, row by row, as three hexadecimal bytes each.
"""
import json
import os
import struct
import subprocess
import sys

W, H, RATE, SECONDS = 64, 48, 5, 6
ACROSS, DOWN = 8, 6

# Moving colours, different at each time and in each corner; one second of black comes first.
PICTURE = (f"nullsrc=s={W}x{H}:r={RATE}:d={SECONDS},format=rgb24,"
           "geq=r='40+2.5*X+60*sin(1.7*T)':g='30+3*Y+70*sin(2.3*T+X/20)':b='128+90*cos(1.1*T+(X+Y)/30)'")
BLACK = "drawbox=t=fill:c=black:enable='lt(t,1)'"
H264 = ["-c:v", "libx264", "-g", "10", "-bf", "2", "-crf", "18", "-pix_fmt", "yuv420p", "-threads", "1"]
X = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]

VIDEOS = {
    "plain.mp4": [PICTURE, H264 + ["-metadata", "creation_time=2021-02-03T04:05:06Z"]],
    "short.mp4": [PICTURE, ["-t", "1"] + H264],
    "black-first.mp4": [PICTURE + "," + BLACK, H264],
    "black.mp4": [PICTURE + ",drawbox=t=fill:c=black", H264],
    "apple.mov": [PICTURE, H264 + ["-movflags", "use_metadata_tags", "-metadata",
                                   "creation_time=2021-02-03T03:05:06Z", "-metadata",
                                   "com.apple.quicktime.creationdate=2021-02-03T04:05:06+0100"]],
    "late.mp4": [PICTURE, H264 + ["-output_ts_offset", "2.5"]],
    "wide.mp4": [PICTURE + ",setsar=4/3", H264],
    "full-709.mp4": [PICTURE + ",scale=out_range=full:out_color_matrix=bt709,format=yuv420p", H264 + [
        "-color_range", "pc", "-colorspace", "bt709"]],
    "vp9.webm": [PICTURE, ["-c:v", "libvpx-vp9", "-g", "10", "-crf", "20", "-b:v", "0", "-threads", "1"]],
    "h264.mkv": [PICTURE, H264],
    "mpeg4.avi": [PICTURE, ["-c:v", "mpeg4", "-g", "10", "-q:v", "2"]],
    "mpeg2.mpg": [PICTURE + ",fps=25", ["-t", "2", "-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-q:v", "3"]],
    "h264.mts": [PICTURE, H264],
    "motion.mov": [PICTURE + ",format=yuvj422p", ["-c:v", "mjpeg", "-q:v", "4"]],
}
# The matrix of the track header: a, b, c, d of x' = a x + c y, y' = b x + d y.
TURNS = {2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0), 6: (0, 1, -1, 0),
         7: (0, -1, -1, 0), 8: (0, -1, 1, 0)}


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout


def make(path, picture, options):
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", picture, *options,
        "-fflags", "+bitexact", "-flags:v", "+bitexact", path)


def turn(source, path, parts):
    data = bytearray(open(source, "rb").read())
    a, b, c, d = (v * 0x10000 & 0xFFFFFFFF for v in parts)
    at = data.index(struct.pack(">9I", *X), data.index(b"tkhd"))
    data[at:at + 36] = struct.pack(">9I", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    open(path, "wb").write(data)


def frames(path):
    """Every frame's time and pixels, as ffmpeg shows them: the times are ffprobe's."""
    out = run("ffprobe", "-loglevel", "error", "-select_streams", "v", "-show_entries",
              "frame=best_effort_timestamp_time", "-of", "csv=p=0", path)
    times = []
    for line in out.split():
        line = line.strip(b",")
        # MPEG program streams give only some frames a time; of 25 a second.
        times.append(times[-1] + 0.04 if line == b"N/A" else float(line))
    scale = "scale=iw*sar:ih:flags=bicubic+accurate_rnd+full_chroma_int"
    size = run("ffmpeg", "-loglevel", "error", "-i", path, "-vf", scale, "-frames:v", "1", "-f",
               "image2pipe", "-c:v", "ppm", "-")
    w, h = (int(v) for v in size.split(b"\n")[1].split())
    raw = run("ffmpeg", "-loglevel", "error", "-i", path, "-vf", scale, "-vsync", "passthrough", "-pix_fmt",
              "rgb24", "-f", "rawvideo", "-")
    assert len(raw) == w * h * 3 * len(times), (path, len(raw), w, h, len(times))
    for i, t in enumerate(times):
        yield round(1000 * (t - times[0])), w, h, raw[i * w * h * 3:(i + 1) * w * h * 3]


def fields(w, h, raw):
    out = bytearray()
    for j in range(DOWN):
        for i in range(ACROSS):
            ys, xs = range(j * h // DOWN, (j + 1) * h // DOWN), range(i * w // ACROSS, (i + 1) * w // ACROSS)
            for c in range(3):
                values = [raw[3 * (y * w + x) + c] for y in ys for x in xs]
                out.append(round(sum(values) / len(values)))
    return out.hex()


def main(folder):
    os.makedirs(folder, exist_ok=True)
    names = []
    for name, (picture, options) in VIDEOS.items():
        names.append(name)
        if not os.path.exists(os.path.join(folder, name)):
            make(os.path.join(folder, name), picture, options)
    for orientation, parts in TURNS.items():
        name = f"turn{orientation}.mp4"
        names.append(name)
        turn(os.path.join(folder, "short.mp4"), os.path.join(folder, name), parts)
    sound = os.path.join(folder, "sound.mp4")
    if not os.path.exists(sound):
        run("ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "sine=d=0.2:r=8000", "-c:a", "aac", "-fflags",
            "+bitexact", "-flags:a", "+bitexact", sound)
    lines = []
    for name in names:
        for ms, w, h, raw in frames(os.path.join(folder, name)):
            lines.append(f"{name} {ms} {w} {h} {fields(w, h, raw)}")
    with open(os.path.join(folder, "frames.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")
    version = run("ffmpeg", "-version").split()[2].decode()
    files = {n: os.path.getsize(os.path.join(folder, n)) for n in sorted(names + ["sound.mp4", "frames.txt"])}
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        json.dump({"script": "tools/oracle/videos.py", "ffmpeg": version, "files": files}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
