"""
A photograph in eight colours
=============================

k-means finds eight colours for the pixels of a photograph (left), and each pixel gets the nearest
one (right). The photograph comes with scikit-learn.
"""

from sklearn.datasets import load_sample_image

from mixtura import fit_kmeans, plot

photograph = load_sample_image("flower.jpg") / 255
pixels = photograph.reshape(-1, 3)
clusters = fit_kmeans(pixels[::20], 8, rng=0)
few = clusters.centers[clusters.predict(pixels)].reshape(photograph.shape)
for ax, image in zip(plot.new_axes(1, 2, panel_size=(4.6, 3.2)).flat, (photograph, few)):
    ax.imshow(image)
    ax.set_axis_off()
