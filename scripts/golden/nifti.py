"""Writes tests/golden/nifti.safetensors: how nibabel turns volumes to its canonical orientation.

The volume has the voxels 0 to 23 and the dimensions 4, 3 and 2; case n has the spacing 1 + n / 8, 2 and 3:
    sform     the matrix golden.uniform("sform n", (3, 3)), as float32; every fourth one has two columns that are nearly alike
    qform     b, c, d of golden.uniform("qform n", (3,)) / 2, and the third axis reversed where n is odd
Of each: KIND/voxels, u8 [N, 24] of the turned volume, the first axis fastest; KIND/shape, i64 [N, 3], depth, height and width;
KIND/spacing, f64 [N, 3] likewise; KIND/axes, u8 [N, 3], the letters of nibabel's aff2axcodes.
"""
import numpy as np

import golden

CASES = 24


def sform(n):
    import nibabel

    matrix = golden.uniform(f"sform {n}", (3, 3))
    if n % 4 == 3:
        matrix[:, 1] = matrix[:, 0] + 0.1 * matrix[:, 1]
    header = nibabel.Nifti1Header()
    affine = np.eye(4)
    affine[:3, :3] = matrix
    header.set_sform(affine, code=1)
    return header


def qform(n):
    import nibabel

    header = nibabel.Nifti1Header()
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = golden.uniform(f"qform {n}", (3,)) / 2
    header["pixdim"][:4] = [-1 if n % 2 else 1, 1 + n / 8, 2, 3]
    header["qform_code"] = 1
    return header


def results(make):
    import nibabel

    voxels, shapes, spacings, axes = [], [], [], []
    for n in range(CASES):
        header = make(n)
        header.set_data_shape((4, 3, 2))
        image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape((4, 3, 2), order="F"), None, header)
        affine = image.header.get_best_affine()
        image = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
        canonical = nibabel.as_closest_canonical(image)
        data = np.asarray(canonical.dataobj)
        voxels.append(data.flatten(order="F").astype(np.uint8))
        shapes.append(data.shape[::-1])
        spacings.append(nibabel.affines.voxel_sizes(canonical.affine)[::-1])
        axes.append([ord(letter) for letter in nibabel.aff2axcodes(affine)])
    return {
        "voxels": np.array(voxels),
        "shape": np.array(shapes, dtype=np.int64),
        "spacing": np.array(spacings, dtype=np.float64),
        "axes": np.array(axes, dtype=np.uint8),
    }


if __name__ == "__main__":
    import nibabel

    tensors = {}
    for kind, make in ("sform", sform), ("qform", qform):
        tensors.update({f"{kind}/{name}": value for name, value in results(make).items()})
    golden.write("nifti", tensors, nibabel=nibabel.__version__)
