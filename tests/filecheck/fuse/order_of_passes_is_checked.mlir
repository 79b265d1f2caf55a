// RUN: canonicalise,fuse
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: pass 'fuse' takes form 'nn-core', but 'canonicalise' leaves 'nn'
